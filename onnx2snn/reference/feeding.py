"""Samples of networks with one input or several.

One input: `x` is (batch, *shape). Several: `x` is (batch, entries), each sample's inputs flattened side by side in the
order of the graph, so that whatever takes samples in pieces need not know how many inputs there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from onnx2snn.errors import DataError
from onnx2snn.ir import Graph, Shape
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Input


def inputs_of(graph: Graph) -> dict[str, Shape]:
    """Shape of each input by the name that the model gives it."""
    return {node.origin.tensor or node.name: graph.shape(node.name) for node in graph.of(Input)}


def sample_shape(graph: Graph) -> Shape:
    """Shape of one sample as `x` holds it."""
    shapes = [graph.shape(node.name) for node in graph.of(Input)]
    return shapes[0] if len(shapes) == 1 else (sum(prod(shape) for shape in shapes),)


def feed(graph: Graph, x: Array) -> dict[str, Array]:
    """The samples of each input node, by its name in the graph."""
    nodes = graph.of(Input)
    if len(nodes) == 1:
        return {nodes[0].name: x}
    shapes = [graph.shape(node.name) for node in nodes]
    ends = np.cumsum([prod(shape) for shape in shapes])
    parts = np.split(x.reshape(len(x), -1), ends[:-1], axis=1)
    return {node.name: part.reshape(len(x), *s) for node, part, s in zip(nodes, parts, shapes, strict=True)}


def pack(arrays: Mapping[str, Array], inputs: Mapping[str, Shape]) -> Array:
    """The arrays of several inputs, (batch, *shape) each, as one; raises `DataError` where they do not fit."""
    missing = [name for name in inputs if name not in arrays]
    if missing:
        raise DataError(f"an array for each input ({', '.join(inputs)}) expected, found none for {', '.join(missing)}")
    sizes = {name: len(arrays[name]) for name in inputs}
    if len(set(sizes.values())) != 1:
        raise DataError(f"as many samples of each input expected, found {sizes}")
    for name, shape in inputs.items():
        if arrays[name].shape[1:] != shape:
            raise DataError(f"{name}: shape (N, {', '.join(map(str, shape))}) expected, found {arrays[name].shape}")
    if len(inputs) == 1:
        return next(arrays[name] for name in inputs)
    return np.concatenate([arrays[name].reshape(len(arrays[name]), -1) for name in inputs], axis=1)
