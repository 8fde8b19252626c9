"""From quantisers to staircases: the thresholds of the network to come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.analysis.pointwise import between
from onnx2snn.errors import PassError
from onnx2snn.ir import Array, Graph, Node, Op
from onnx2snn.ir.ops import Add, Clip, Quantise, Relu
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.crosscheck import check
from onnx2snn.passes.placing import put
from onnx2snn.passes.roundings import branches
from onnx2snn.passes.weighted import sole_reader
from onnx2snn.reference import round_to

NEAR = 2.0**-22  #: nearer than this, of its own size, float32 does not tell a quotient from a whole number


@final
@dataclass(frozen=True)
class InsertStaircases(Rewrite):
    """Turns each quantiser, with the Relu or Clip before and after it, into one staircase.

    given:   [Relu | Clip] -> Quantise -> [Relu | Clip]
    result:  Staircase with lo = qmin - zero_point and hi = qmax - zero_point, cut to what Relu (lo >= 0) and
             Clip (rounded bounds) let through; a Clip behind the quantiser that cuts between two steps stays.
             Other roundings than to nearest, and ranges that do not hold zero, take shifts in front and behind;
             those that mirror at zero become the sum of a staircase for each sign (see `branches`).
    Every staircase is compared with what it replaced, at and beside its breakpoints.
    """

    name: ClassVar[str] = "insert-staircases"
    kinds: ClassVar[tuple[type[Op], ...]] = (Quantise,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, Quantise)
        stairs = (op.qmin - op.zero_point, op.qmax - op.zero_point)
        source = graph[node.inputs[0]]
        while isinstance(source.op, (Relu, Clip)):
            stairs = _cut(stairs, source.op, op)
            source = graph[source.inputs[0]]
        chain = _chain(graph, node, op)
        for reader in chain:
            stairs = _cut(stairs, reader.op, op)
        last = chain[-1] if chain else node
        before = between(graph, source.name, last.name)
        _put(graph, node, source.name, branches(op, *stairs))
        check(before, between(graph, source.name, node.name), op.scale, *stairs)
        if chain:
            graph.annotate(node.name, replace(node.origin, tensor=last.origin.tensor))
            for reader in chain:
                graph.remove(reader.name, use=node.name)
        return None


def _put(graph: Graph, node: Node, source: str, chains: list[list[Op]]) -> None:
    """Makes the node the sum of chains of ops over `source`."""
    if len(chains) == 1:
        put(graph, node.name, source, chains[0])
        return
    ends: list[str] = []
    for ops in chains:
        end = graph.add(graph.fresh(f"{node.name}.side{len(ends)}"), ops[-1], [source])
        put(graph, end, source, ops)
        ends.append(end)
    graph.replace(node.name, Add(), ends)


def _chain(graph: Graph, node: Node, quantiser: Quantise) -> list[Node]:
    """The Relu and Clip ops that alone read a quantiser, one after the other, as far as they keep to its steps."""
    found: list[Node] = []
    while True:
        readers = graph.consumers(node.name)
        if (
            len(readers) != 1
            or not isinstance(readers[0].op, (Relu, Clip))
            or not sole_reader(graph, node.name, readers[0])
            or not keeps_steps(readers[0].op, quantiser)
        ):
            return found
        node = readers[0]
        found.append(node)


def keeps_steps(op: Op, quantiser: Quantise) -> bool:
    """Whether the bounds of a Clip behind the quantiser are steps of it, as near as float32 tells."""
    if isinstance(op, Relu):
        return True
    assert isinstance(op, Clip)
    bounds = np.array([bound for bound in (op.low, op.high) if np.isfinite(bound)])
    counts = bounds[:, None] / quantiser.scale.ravel()
    low, high = quantiser.qmin - quantiser.zero_point, quantiser.qmax - quantiser.zero_point
    beyond = (counts <= low) & (bounds[:, None] == op.low) | (counts >= high) & (bounds[:, None] == op.high)
    return bool((beyond | (np.abs(counts - np.rint(counts)) <= NEAR * np.maximum(1, np.abs(counts)))).all())


def _cut(stairs: tuple[int, int], op: Op, quantiser: Quantise) -> tuple[int, int]:
    """The counts that a Relu or Clip beside the quantiser leaves of `stairs`."""
    low, high = stairs
    bounds = (0.0, np.inf) if isinstance(op, Relu) else (op.low, op.high) if isinstance(op, Clip) else stairs
    below, above = (_counts(bound, quantiser, low, high) for bound in bounds)
    if below.min() != below.max() or above.min() != above.max():
        raise PassError(f"Clip to [{bounds[0]}, {bounds[1]}] cuts the channels at different counts; one scale expected")
    low, high = int(below.max()), int(above.max())
    if not low < high:
        raise PassError(f"bounds [{bounds[0]}, {bounds[1]}] leave one value, {low} steps; a range expected")
    return low, high


def _counts(bound: float, quantiser: Quantise, low: int, high: int) -> Array:
    """The counts that a bound means to the channels."""
    inside = np.clip(bound / quantiser.scale, low - 1, high + 1)
    return np.clip(round_to(inside, quantiser.rounding), low, high)
