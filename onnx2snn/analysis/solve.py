"""Threshold and initial membrane of an integer neuron: solved for, not rounded.

A pair (theta, v0) on a grid of F fractional bits climbs at the breakpoints b_k if and only if
    (b_k - 1) 2^F < k theta - v0 <= b_k 2^F      for every k that the accumulator can reach,
which for each candidate theta is an interval for v0. Breakpoints that are always or never passed ask for less:
k theta - v0 <= low 2^F, and k theta - v0 > high 2^F.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.ir import Array

FAR = 1 << 60


@dataclass(frozen=True)
class Limits:
    """What a target can hold: fractional bits, the largest threshold, and its significant bits (0: any number)."""

    shift: int = 32
    theta: int = 1 << 52
    significant_bits: int = 0

    def holds(self, theta: Array) -> Array:
        """Which thresholds the target can store."""
        fits = (theta >= 1) & (theta <= self.theta)
        if self.significant_bits:
            lowest = theta & -theta
            fits &= theta < lowest << self.significant_bits
        return fits


@dataclass(frozen=True)
class Solution:
    """Integers of a layer: theta and v0 (the bias included), (channels,) each, on a grid of `shift` bits.

    solved: which channels climb at every breakpoint exactly; the others are rounded.
    """

    theta: Array
    v0: Array
    shift: int
    ties_even: bool
    solved: Array


def solve(climb: Climb, limits: Limits, tie_rule: bool) -> Solution:
    """The smallest grid on which every channel is exact, within `limits`.

    tie_rule: whether the neuron may send ties to the even count where no plain comparison is exact. Channels
    that stay unsolved are rounded on the largest grid on which they can be held.
    """
    rows = _Rows(climb)
    best = _on_smallest_grid(rows, climb, limits, ties_even=False)
    if tie_rule and not best.solved.all():
        even = _on_smallest_grid(rows, climb, limits, ties_even=True)
        best = even if even.solved.sum() > best.solved.sum() else best
    return best


class _Rows:
    """The lower and upper ends that k theta - v0 must keep to, per channel, on the grid of no fractional bits."""

    def __init__(self, climb: Climb) -> None:
        b = climb.breakpoints()
        low, high = climb.low[:, None], climb.high[:, None]
        always, never = b <= low, b > high
        self.above = np.where(always, -FAR, np.where(never, high, b - 1))
        self.upto = np.where(never, FAR, np.where(always, low, b))
        self.counts = np.arange(climb.lo + 1, climb.hi + 1)
        self.reachable = (~always & ~never).sum(axis=1)
        self.theta = climb.scale / climb.unit
        self.v0 = self.theta / 2 + climb.offset / climb.unit


def _on_smallest_grid(rows: _Rows, climb: Climb, limits: Limits, ties_even: bool) -> Solution:
    channels = len(climb.unit)
    found: dict[int, tuple[int, int]] = {}
    needed = 0
    for shift in range(limits.shift + 1):
        for row in range(channels):
            if row not in found:
                pair = _pair(rows, row, shift, limits, ties_even)
                if pair is not None:
                    found[row], needed = pair, shift
        if len(found) == channels:
            break
    shift = needed if len(found) == channels else _largest_grid(rows, limits)
    return _at(rows, shift, limits, ties_even, channels)


def _at(rows: _Rows, shift: int, limits: Limits, ties_even: bool, channels: int) -> Solution:
    theta, v0 = np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    solved = np.zeros(channels, bool)
    for row in range(channels):
        pair = _pair(rows, row, shift, limits, ties_even)
        solved[row] = pair is not None
        theta[row], v0[row] = pair or _rounded(rows, row, shift, limits)
    return Solution(theta, v0, shift, ties_even, solved)


def _pair(rows: _Rows, row: int, shift: int, limits: Limits, ties_even: bool) -> tuple[int, int] | None:
    """The exact (theta, v0) nearest to the real ones, or None on this grid."""
    ideal = rows.theta[row] * (1 << shift)
    if ideal > limits.theta + 1:
        return None
    reach = int(min(np.ceil(2.0 * (1 << shift) / max(int(rows.reachable[row]) - 1, 1)), 512)) + 1
    theta = np.arange(max(1, int(ideal) - reach), int(ideal) + reach + 2)
    theta = theta[limits.holds(theta)]
    odd = (rows.counts % 2 == 1) if ties_even else 0
    need = theta[:, None] * rows.counts + odd
    least = (need - _shifted(rows.upto[row], shift)).max(axis=1)
    most = (need - _shifted(rows.above[row], shift)).min(axis=1) - 1
    good = np.nonzero(least <= most)[0]
    if not len(good):
        return None
    best = good[np.argmin(np.abs(theta[good] - ideal))]
    wish = int(np.rint(rows.v0[row] * (1 << shift)))
    return int(theta[best]), int(np.clip(wish, least[best], most[best]))


def _shifted(ends: Array, shift: int) -> Array:
    return np.where(np.abs(ends) >= FAR, ends, ends << shift)


def _largest_grid(rows: _Rows, limits: Limits) -> int:
    """The finest useful grid whose rounded thresholds still fit."""
    largest = float(rows.theta.max())
    return max((s for s in range(min(limits.shift, 16) + 1) if largest * (1 << s) <= limits.theta), default=0)


def _rounded(rows: _Rows, row: int, shift: int, limits: Limits) -> tuple[int, int]:
    ideal = rows.theta[row] * (1 << shift)
    nearby = np.arange(max(1, int(ideal) - 512), int(ideal) + 514)
    nearby = nearby[limits.holds(nearby)]
    theta = (
        int(nearby[np.argmin(np.abs(nearby - ideal))])
        if len(nearby)
        else max(1, min(int(np.rint(ideal)), limits.theta))
    )
    return theta, int(np.rint(rows.v0[row] * (1 << shift)))
