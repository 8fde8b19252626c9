"""Fewer levels for a staircase that has many: fewer timesteps, at a cost in accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Staircase
from onnx2snn.passes.base import Approximation, Rewrite


@final
@dataclass(frozen=True)
class CoarsenStaircases(Rewrite):
    """Gives every staircase at most `levels` levels over the same range: an 8-bit model in 15 steps instead of 255.

    given:   Staircase(scale, lo, hi) with hi - lo > levels
    result:  Staircase(c scale, lo', hi'), c = (hi - lo) / levels, hi' = round(hi / c), at least 1, lo' = hi' - levels,
             at most 0. Within the range a value moves by at most c scale / 2 more.
    """

    name: ClassVar[str] = "coarsen-staircases"
    kinds: ClassVar[tuple[type[Op], ...]] = (Staircase,)
    levels: int = 15

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, Staircase)
        if op.levels <= self.levels:
            return None
        coarser = op.levels / self.levels
        high = min(self.levels, max(1, round(op.hi / coarser)))
        scale = op.scale * coarser
        graph.replace(node.name, Staircase(scale=scale, lo=high - self.levels, hi=high, rounding=op.rounding))
        step = float(scale.max())
        return Approximation(
            f"{op.levels} levels made {self.levels}; its values move by up to {step / 2:.3g} within their range"
        )
