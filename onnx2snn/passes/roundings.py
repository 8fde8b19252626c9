"""The nine rounding modes of a quantiser as staircases that round to nearest."""

from __future__ import annotations

import numpy as np

from onnx2snn.analysis.probing import TieRule, Uniform
from onnx2snn.ir import Op
from onnx2snn.ir.ops import Affine, Quantise, QuantiserRounding, Staircase
from onnx2snn.passes.placing import staircase_ops

#: What a mode is on counts from zero up, and on counts up to zero; the others are the same on both.
ONE_SIDED: dict[str, tuple[QuantiserRounding, QuantiserRounding]] = {
    "truncate": ("floor", "ceil"),
    "away": ("ceil", "floor"),
    "half-away": ("half-up", "half-down"),
    "half-toward-zero": ("half-down", "half-up"),
}
#: Where the middle of count zero lies, in steps, and how ties then fall.
NEAREST: dict[str, tuple[float, TieRule]] = {
    "half-even": (0.0, "even"),
    "half-up": (0.0, "up"),
    "half-down": (0.0, "down"),
    "floor": (0.5, "up"),
    "ceil": (-0.5, "down"),
}


def branches(op: Quantise, lo: int, hi: int) -> list[list[Op]]:
    """Chains of ops whose sum is scale clip(round(x / scale), lo, hi) in the rounding of `op`.

    floor: a staircase half a step further right.  ceil, half-down: ties fall below, which is 2^-30 of a step further
    right than ties upward: nearer than float32 tells.  Modes that mirror at zero: one chain for each sign of the count.
    Counts that do not hold zero, with a step above it: those of another middle, and what is missing added behind.
    """
    if op.rounding not in ONE_SIDED:
        return [_chain(op, op.rounding, lo, hi)]
    above, below = ONE_SIDED[op.rounding]
    if lo >= 0 or hi <= 0:
        return [_chain(op, above if lo >= 0 else below, lo, hi)]
    minus = Affine(scale=np.asarray(-1.0))
    return [_chain(op, above, 0, hi), [minus, *_chain(op, above, 0, -lo), minus]]


def _chain(op: Quantise, rounding: QuantiserRounding, lo: int, hi: int) -> list[Op]:
    middle, ties = NEAREST[rounding]
    zero = 0 if lo <= 0 < hi else lo
    if zero == 0 and (rounding == "half-even" or rounding == "half-up"):
        return [Staircase(scale=op.scale, lo=lo, hi=hi, rounding=rounding)]
    if zero % 2 == 1 and ties == "even":  # what was even must stay even
        zero, ties = (zero + 1, ties) if hi - lo > 1 else (zero, "up" if hi % 2 == 0 else "down")
    offset, base = op.scale * (middle + zero), op.scale * zero
    return staircase_ops(Uniform(op.scale, op.scale, offset, base, lo - zero, hi - zero, ties))
