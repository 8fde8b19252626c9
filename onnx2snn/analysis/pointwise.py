"""Elementwise subgraphs as functions of one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from onnx2snn.ir import Array, Graph, Node, Op, Shape
from onnx2snn.ir.ops import (
    Add,
    Affine,
    Clip,
    LeakyRelu,
    Maximum,
    Minimum,
    Multiply,
    Quantise,
    Relu,
    Staircase,
    Steps,
    Unary,
)
from onnx2snn.reference import apply

ELEMENTWISE: tuple[type[Op], ...] = (Affine, Relu, Clip, Quantise, Staircase, Steps, Unary, LeakyRelu)
JOINS: tuple[type[Op], ...] = (Add, Multiply, Minimum, Maximum)  #: elementwise where all inputs have one root


@dataclass(frozen=True)
class Pointwise:
    """What elementwise ops between `root` (not included) and the last of `nodes` compute, entry by entry.

    shape: of one row of parameters, a one for each axis along which all entries share theirs.
    """

    root: str
    nodes: tuple[Node, ...]
    shape: Shape

    def __call__(self, x: Array) -> Array:
        """The value at points x (points, *shape), float64."""
        values = {self.root: x}
        for node in self.nodes:
            values[node.name] = apply(node.op, *(values[source] for source in node.inputs))
        return np.broadcast_to(values[self.nodes[-1].name if self.nodes else self.root], x.shape)


def roots(graph: Graph) -> dict[str, str]:
    """For each node the node that its value is an elementwise function of; itself where it is none.

    An Affine with parameters of its own for each channel directly behind a root is a root as well: it belongs to the
    synapse.
    """
    found: dict[str, str] = {}
    for node in graph:
        sources = {found[source] for source in node.inputs}
        inside = len(sources) == 1 and isinstance(node.op, (*ELEMENTWISE, *JOINS)) and not _leading(node, sources)
        found[node.name] = next(iter(sources)) if inside else node.name
    return found


def _leading(node: Node, sources: set[str]) -> bool:
    many = isinstance(node.op, Affine) and any(a is not None and a.size > 1 for a in (node.op.scale, node.op.shift))
    return many and set(node.inputs) == sources


def between(graph: Graph, root: str, end: str) -> Pointwise:
    """The function from `root` to `end`; all nodes between them are elementwise."""
    found: dict[str, Node] = {}
    waiting = [end]
    while waiting:
        name = waiting.pop()
        if name != root and name not in found:
            found[name] = graph[name]
            waiting.extend(graph[name].inputs)
    chain = all(len(node.inputs) == 1 for node in found.values())  # in order as it is; no need to sort the graph
    nodes = tuple(reversed(found.values())) if chain else tuple(node for node in graph if node.name in found)
    arrays = [a for node in nodes for a in _rows(node.op)]
    return Pointwise(root, nodes, np.broadcast_shapes(*(a.shape for a in arrays)))


def _rows(op: Op) -> list[Array]:
    """The arrays of an op as they broadcast against features."""
    if isinstance(op, Steps):
        return [op.breakpoints[0]]
    return [cast(Array, value) for value in op.parameters().values() if isinstance(value, np.ndarray)]
