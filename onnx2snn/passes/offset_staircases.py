"""Staircases below zero lifted above it, for neurons that cannot count backward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Affine, Staircase
from onnx2snn.passes.base import Approximation, Rewrite
from onnx2snn.passes.placing import put


@final
@dataclass(frozen=True)
class OffsetStaircases(Rewrite):
    """Counts from the lowest level up: n - lo instead of n.

    given:   Staircase with lo < 0, before move-maxpool, which minds the shifts, and collect-bias
    result:  Affine(shift = -lo scale) -> Staircase(0 ... hi - lo) -> Affine(shift = lo scale); collect-bias takes the
             shifts to the neurons, pixel by pixel where zero padding is. Such neurons fire at rest.
    Where lo is odd, halves that went to the even count go up: the parity of all counts has changed.
    """

    name: ClassVar[str] = "offset-staircases"
    kinds: ClassVar[tuple[type[Op], ...]] = (Staircase,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, Staircase)
        if op.lo >= 0:
            return None
        flips = op.lo % 2 == 1 and op.rounding == "half-even"
        shift = op.scale * op.lo
        lifted = Staircase(scale=op.scale, lo=0, hi=op.levels, rounding="half-up" if flips else op.rounding)
        put(graph, node.name, node.inputs[0], [Affine(shift=-shift), lifted, Affine(shift=shift)])
        if not flips:
            return None
        step = float(np.max(op.scale))
        return Approximation(f"a value exactly between two counts goes up, not to the even one: {step:.3g} more there")
