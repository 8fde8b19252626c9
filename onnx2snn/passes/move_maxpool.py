"""Max-pool before the neuron instead of after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import MaxPool, Staircase
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.constants import varies_within_channels
from onnx2snn.passes.weighted import one_a_channel, sole_reader


@final
@dataclass(frozen=True)
class MoveMaxpool(Rewrite):
    """Moves a max-pool in front of the staircase it reads: a monotone staircase commutes with the maximum.

    given:   Staircase -> MaxPool, the staircase read by nothing else, one scale and one constant within a channel
    result:  MaxPool -> Staircase: a quarter of the neurons for a 2 x 2 window
    Elsewhere the max-pool stays behind the neuron and pools its running counts, which is exact as well.
    """

    name: ClassVar[str] = "move-maxpool"
    kinds: ClassVar[tuple[type[Op], ...]] = (MaxPool,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        stairs = graph[node.inputs[0]]
        if not isinstance(stairs.op, Staircase):
            return f"{stairs.name} is a {stairs.op.name}"
        if not sole_reader(graph, stairs.name, node):
            return f"{stairs.name} has other readers"
        if not one_a_channel(stairs.op.scale, len(graph.shape(stairs.name))):
            return f"{stairs.name} has several scales within a channel"
        if varies_within_channels(graph, stairs.inputs[0]):
            return f"{stairs.name} has a constant in front that may vary within a channel"
        pool = graph.add(graph.fresh(f"{node.name}.before"), node.op, stairs.inputs, node.origin)
        moved = graph.add(graph.fresh(f"{stairs.name}.after"), stairs.op, [pool])
        graph.annotate(moved, replace(stairs.origin, tensor=node.origin.tensor))
        graph.remove(node.name, use=moved)
        graph.remove(stairs.name, use=moved)
        graph.rename(pool, node.name)
        graph.rename(moved, stairs.name)
        return None
