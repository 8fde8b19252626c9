"""Two branches with unequal scales that meet at one neuron: every case is looked at.

The value is u1 a1 + u2 a2 + offset. For each count a2 of the branch with the smaller range the staircase has its own
breakpoints in a1, and the integer neuron m1 a1 + m2 a2 has its own; the certificate compares them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.analysis.breakpoints import Climb, breakpoints, count_error, proven
from onnx2snn.ir import Array

MOST_CASES = 1 << 28  #: breakpoints to compare before a proof by enumeration is given up


@dataclass(frozen=True)
class PairClimb:
    """A staircase over two lattices: `first` holds unit and range of a1, `unit`, `low`, `high` those of a2.

    All arrays flat (channels,); a2 is the branch to enumerate.
    """

    first: Climb
    unit: Array
    low: Array
    high: Array

    @property
    def cases(self) -> int:
        """Breakpoints to compare."""
        return int(self.high.max() - self.low.min() + 1) * len(self.unit) * (self.first.hi - self.first.lo)


@dataclass(frozen=True)
class PairTable:
    """The integers of the neuron, (channels,) each: m1 a1 + m2 a2 + v0 against k theta; v0 includes the bias."""

    m1: Array
    m2: Array
    theta: Array
    v0: Array
    ties_even: bool


def check_pair(climb: PairClimb, table: PairTable, stop_early: bool = False) -> tuple[int, int, int]:
    """Breakpoints proven, breakpoints looked at, and the worst count error, over every count of the second branch."""
    first, good, total, worst = climb.first, 0, 0, 0
    counts = np.arange(first.lo + 1, first.hi + 1)
    need = counts * table.theta[:, None] - table.v0[:, None]
    need = need + (counts % 2 == 1) if table.ties_even else need
    for a2 in range(int(climb.low.min()), int(climb.high.max()) + 1):
        truth = breakpoints(
            first.unit, first.offset, first.scale, first.lo, first.hi, first.rounding, beside=(climb.unit, a2)
        )
        found = -((table.m2[:, None] * a2 - need) // table.m1[:, None])
        agree = proven(truth, found, first.low, first.high)
        good, total = good + int(agree.sum()), total + agree.size
        if not agree.all():
            worst = max(worst, count_error(truth, found, first.low, first.high))
            if stop_early:
                break
    return good, total, worst
