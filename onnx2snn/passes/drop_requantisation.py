"""Quantisers of branches that a sum reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Add, Affine, Conv, Dense, Staircase
from onnx2snn.passes.base import Approximation, Rewrite

SUMS: tuple[type[Op], ...] = (Conv, Dense, Add)


@final
@dataclass(frozen=True)
class DropRequantisation(Rewrite):
    """Removes a signed staircase between a sum and another: a current need not be counted before it is added.

    given:   Conv, Dense or Add -> Staircase with lo < 0 -> Add alone; Affine ops may stand between them
    result:  the same without the staircase: fewer neurons and less delay. A value moves by at most half a step within
             the range of the staircase; that nothing lies beyond the range is not proven.
    A staircase in front of weights stays, since it is all that makes the network other than linear there; so do those
    that a quantiser was split into, which read one value. Works on staircases: in a recipe it stands behind
    drop-repeated-staircases, where `convert --drop-requantisation` puts it. Not part of any standard recipe.
    """

    name: ClassVar[str] = "drop-requantisation"
    kinds: ClassVar[tuple[type[Op], ...]] = (Staircase,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, Staircase)
        if op.lo >= 0:
            return None
        source = graph[node.inputs[0]]
        while isinstance(source.op, Affine) and len(graph.consumers(source.name)) == 1:
            source = graph[source.inputs[0]]
        if not isinstance(source.op, SUMS):
            return "no sum in front"
        if len(graph.consumers(source.name)) > 1:
            return f"{source.name} has other readers"
        if not _only_added(graph, node.name):
            return "something else than a sum reads it"
        graph.remove(node.name, use=node.inputs[0])
        step, low, high = float(op.scale.max()), float((op.scale * op.lo).min()), float((op.scale * op.hi).max())
        return Approximation(
            f"removed: values move by up to {step / 2:.3g} from {low:.3g} to {high:.3g}, "
            "and are no longer cut off there"
        )


def _only_added(graph: Graph, name: str) -> bool:
    """Whether nothing but Add reads the value, as it is or through Affine ops."""
    readers = graph.consumers(name)
    if name in graph.outputs or not readers:
        return False
    return all(
        isinstance(reader.op, Add) or (isinstance(reader.op, Affine) and _only_added(graph, reader.name))
        for reader in readers
    )
