"""From quantisers to staircases: the thresholds of the network to come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.errors import PassError
from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Clip, Quantise, Relu, Staircase
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.weighted import sole_reader
from onnx2snn.reference import round_to

NEAR = 2.0**-22  #: nearer than this, of its own size, float32 does not tell a quotient from a whole number


@final
@dataclass(frozen=True)
class InsertStaircases(Rewrite):
    """Turns each quantiser, with the Relu or Clip before and after it, into one staircase.

    given:   [Relu | Clip] -> Quantise -> [Relu | Clip]
    result:  Staircase with lo = qmin - zero_point and hi = qmax - zero_point, cut to what Relu (lo >= 0) and
             Clip (rounded bounds) let through; a Clip behind the quantiser that cuts between two steps stays
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
        last = node
        chain = _chain(graph, node, op)
        for reader in chain:
            stairs = _cut(stairs, reader.op, op)
            last = reader
        if op.rounding not in ("half-even", "half-up"):
            raise PassError(f"rounding half-even or half-up expected, found {op.rounding}")
        staircase = Staircase(scale=op.scale, lo=stairs[0], hi=stairs[1], rounding=op.rounding)
        graph.replace(node.name, staircase, [source.name])
        if last is not node:
            graph.annotate(node.name, replace(node.origin, tensor=last.origin.tensor))
            for reader in chain:
                graph.remove(reader.name, use=node.name)
        return None


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
    low, high = stairs
    if isinstance(op, Relu):
        return max(low, 0), high
    assert isinstance(op, Clip)
    below, above = (
        np.unique(np.clip(round_to(bound / quantiser.scale, quantiser.rounding), low - 1, high + 1))
        for bound in (op.low, op.high)
    )
    if len(below) != 1 or len(above) != 1:
        raise PassError(f"Clip to [{op.low}, {op.high}] cuts the channels at different counts; one scale expected")
    low, high = max(low, int(below[0])), min(high, int(above[0]))
    if not low <= 0 < high:
        raise PassError(f"Clip to [{op.low}, {op.high}] leaves counts {low} to {high}; a range around zero expected")
    return low, high
