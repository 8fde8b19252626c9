"""Quantisers of sums that nothing but other sums read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Add, Affine, Conv, Dense, Staircase
from onnx2snn.passes.base import Approximation, Rewrite

LINEAR_SUMS: tuple[type[Op], ...] = (Conv, Dense, Affine, Add)


@final
@dataclass(frozen=True)
class DropRequantisation(Rewrite):
    """Removes a signed staircase between linear ops: a current need not be counted before it is added.

    given:   Conv, Dense, Affine or Add -> Staircase with lo < 0 -> Conv, Dense, Affine or Add alone
    result:  the same without the staircase: fewer neurons and less delay. A value moves by at most half a step within
             the range of the staircase; that nothing lies beyond the range is not proven.
    Not part of any standard recipe: ask for it by name.
    """

    name: ClassVar[str] = "drop-requantisation"
    kinds: ClassVar[tuple[type[Op], ...]] = (Staircase,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op, readers = node.op, graph.consumers(node.name)
        assert isinstance(op, Staircase)
        if op.lo >= 0:
            return None
        if not isinstance(graph[node.inputs[0]].op, LINEAR_SUMS):
            return "no linear op in front"
        if node.name in graph.outputs or not all(isinstance(reader.op, LINEAR_SUMS) for reader in readers):
            return "something else than a linear op reads it"
        graph.remove(node.name, use=node.inputs[0])
        step, low, high = float(op.scale.max()), float((op.scale * op.lo).min()), float((op.scale * op.hi).max())
        return Approximation(
            f"removed: values move by up to {step / 2:.3g} from {low:.3g} to {high:.3g}, "
            "and are no longer cut off there"
        )
