"""How far a network's activations lie from a model's, channel by channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from onnx2snn.analysis.calibration import by_channel
from onnx2snn.errors import DataError
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Affine, MaxPool


@dataclass(frozen=True)
class Difference:
    """mean: of model minus network, (channels,).  square: of the same, squared, over all values."""

    mean: Array
    square: float


def difference(pairs: Iterable[tuple[Array, Array]], axis: int) -> Difference:
    """Of batches of equal values of model and network (batch, *features), channels along feature axis `axis`."""
    total, squares, count = np.zeros(()), 0.0, 0
    for model, network in pairs:
        apart = by_channel(model - network, axis)
        total = total + apart.sum(axis=1)
        squares += float(np.square(apart).sum())
        count += apart.shape[1]
    if not count:
        raise DataError("calibration: one sample or more expected, found none")
    return Difference(total / count, squares / (count * len(total)))


def means(batches: Iterable[Mapping[str, Array]], axes: Mapping[str, int]) -> dict[str, Array]:
    """Mean of each channel, (channels,), of the named values in batches (batch, *features); feature axis of each."""
    sums, counts = {name: np.zeros(()) for name in axes}, dict.fromkeys(axes, 0)
    for values in batches:
        for name, axis in axes.items():
            rows = by_channel(values[name], axis)
            sums[name], counts[name] = sums[name] + rows.sum(axis=1), counts[name] + rows.shape[1]
    if not all(counts.values()):
        raise DataError("calibration: one sample or more expected, found none")
    return {name: sums[name] / counts[name] for name in axes}


def twin_of(model: Graph, site: str, network: Graph, staircase: str) -> str:
    """The node of the model whose value `staircase` stands for: activation `site`, or the max-pool moved before it."""
    before: set[str] = set()
    node = network[network[staircase].inputs[0]]
    while isinstance(node.op, (Affine, MaxPool)):
        before.add(node.name)
        node = network[node.inputs[0]]
    while True:
        readers = model.consumers(site)
        if len(readers) != 1 or not isinstance(readers[0].op, MaxPool) or readers[0].name not in before:
            return site
        site = readers[0].name
