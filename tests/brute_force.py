"""The definitions behind the certificate, written down a second time without any cleverness."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import STBIF
from onnx2snn.reference import start, step


def count(value: Fraction, scale: float, lo: int, hi: int, rounding: str) -> int:
    """clip(round(value / scale), lo, hi)."""
    quotient = value / Fraction(scale)
    whole = round(quotient) if rounding == "half-even" else (quotient + Fraction(1, 2)).__floor__()
    return min(max(whole, lo), hi)


def counts(
    unit: float, offset: float, scale: float, lo: int, hi: int, rounding: str, low: int, high: int
) -> dict[int, int]:
    """The count of every accumulator value from low to high."""
    steps = range(low, high + 1)
    return {a: count(Fraction(unit) * a + Fraction(offset), scale, lo, hi, rounding) for a in steps}


def climbed(breakpoints: Array, a: int, lo: int) -> int:
    """The count that breakpoints b_{lo+1} ... b_hi stand for at accumulator value a."""
    return lo + int((breakpoints <= a).sum())


def at_rest(op: STBIF, charges: Array) -> Array:
    """Resting counts of a neuron that gets the rows of `charges` (ticks, ...), then nothing until it is silent."""
    state = start(op, charges.shape[1:])
    for charge in charges:
        step(op, state, charge)
    for _ in range(op.hi - op.lo + 1):
        if not step(op, state, np.zeros_like(charges[0])).any():
            return state.n
    raise AssertionError("a bounded neuron comes to rest within hi - lo steps")


def stbif(theta: Any, v0: Any, lo: int, hi: int, even: bool, shift: int = 0) -> STBIF:
    """An integer neuron with these numbers."""
    whole = (np.asarray(a, np.int64) for a in (theta, v0))
    zero, one = np.zeros((), np.int64), np.ones((), np.int64)
    theta, v0 = whole
    return STBIF(theta=theta, v0=v0, bias=zero, value=one, lo=lo, hi=hi, shift=shift, ties="even" if even else "up")
