"""A staircase that climbs what has been climbed already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import MOVES, MaxPool, Staircase
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.weighted import sole_reader


@final
@dataclass(frozen=True)
class DropRepeatedStaircases(Rewrite):
    """Removes a staircase that changes nothing because its input lies on the same steps.

    given:   Staircase -> any MaxPool and op that moves numbers -> Staircase of the same scale
    result:  the second is gone where its range holds the first's; directly after a staircase that nothing else
             reads, the first takes the narrower range of both
    """

    name: ClassVar[str] = "drop-repeated-staircases"
    kinds: ClassVar[tuple[type[Op], ...]] = (Staircase,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op, first = node.op, graph[node.inputs[0]]
        assert isinstance(op, Staircase)
        while isinstance(first.op, (MaxPool, *MOVES)):
            first = graph[first.inputs[0]]
        if not isinstance(first.op, Staircase):
            return None
        if (
            first.op.scale.size != 1
            or op.scale.size != 1
            or not np.array_equal(first.op.scale.ravel(), op.scale.ravel())
        ):
            return f"{first.name} before it has another scale"
        if op.lo <= first.op.lo and op.hi >= first.op.hi:
            graph.remove(node.name, use=node.inputs[0])
            return None
        if first.name != node.inputs[0] or not sole_reader(graph, first.name, node):
            return f"{first.name} before it has a wider range and other readers"
        graph.replace(first.name, replace(first.op, lo=max(op.lo, first.op.lo), hi=min(op.hi, first.op.hi)))
        graph.annotate(first.name, replace(first.origin, tensor=node.origin.tensor))
        graph.remove(node.name, use=first.name)
        return None
