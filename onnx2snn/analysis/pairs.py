"""Two branches with unequal scales that meet at one neuron.

The value is u1 a1 + u2 a2 + offset. For each count a2 of the branch with the smaller range the staircase has its own
breakpoints in a1, and the integer neuron m1 a1 + m2 a2 has its own; the certificate compares them all. Most channels
are proven at once: no breakpoint comes nearer to a whole number than a gap, and no place of the table is further off
(see `onnx2snn.analysis.gaps`). What that does not prove is looked at case by case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from onnx2snn.analysis.breakpoints import Climb, breakpoints, count_error, proven, single_breakpoints
from onnx2snn.analysis.gaps import Gaps, Line, gaps
from onnx2snn.ir import Array

BLOCK = 1 << 15  #: breakpoints that are compared at once; they stay in the cache
FEW = 16  #: channels that are tried first
MOST_CASES = 1 << 28  #: breakpoints to compare before a proof is given up


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
    def counts(self) -> range:
        """All values of a2, over all channels."""
        return range(int(self.low.min()), int(self.high.max()) + 1)

    @property
    def cases(self) -> int:
        """Breakpoints to compare."""
        return len(self.counts) * len(self.unit) * (self.first.hi - self.first.lo)

    @cached_property
    def gaps(self) -> Gaps:
        """How near each channel's breakpoints come to a whole number."""
        return gaps(self.first, self.unit, self.counts)

    @cached_property
    def tightest(self) -> PairClimb:
        """The few channels whose breakpoints come nearest to a whole number: they ask for the finest grids.

        Itself where it has no more.
        """
        return self if len(self.unit) <= FEW else self.rows(np.argsort(self.gaps.width)[:FEW])

    @cached_property
    def nearest(self) -> tuple[Array, Array, Array]:
        """k and a2 of the breakpoint that is nearest to a whole number, and where it is, in each channel."""
        part, (k, a2) = self.first, self.gaps.nearest(np.arange(len(self.unit)))
        return k, a2, single_breakpoints(part.unit, part.offset, part.scale, self.unit, a2, k, part.rounding)

    def rows(self, rows: Array) -> PairClimb:
        """Some of the channels."""
        arrays = {name: getattr(self.first, name)[rows] for name in ("unit", "offset", "scale", "low", "high")}
        return PairClimb(replace(self.first, **arrays), self.unit[rows], self.low[rows], self.high[rows])


@dataclass(frozen=True)
class PairTable:
    """The integers of the neuron, (channels,) each: m1 a1 + m2 a2 + v0 against k theta; v0 includes the bias."""

    m1: Array
    m2: Array
    theta: Array
    v0: Array
    ties_even: bool

    def rows(self, rows: Array) -> PairTable:
        """Some of the channels."""
        return PairTable(self.m1[rows], self.m2[rows], self.theta[rows], self.v0[rows], self.ties_even)

    @property
    def line(self) -> Line:
        """Where it puts the breakpoints, ties aside, before they are rounded up."""
        return Line(*(a.astype(np.float64) for a in (self.theta, self.v0, self.m2, self.m1)))

    def places(self, k: Array, a2: Array) -> Array:
        """The least a1 with m1 a1 + m2 a2 + v0 >= k theta, or > for odd k where ties go to the even count; k first."""
        need = k * self.theta[:, None] - self.v0[:, None]
        if self.ties_even:
            need += k % 2 == 1
        return -((self.m2[:, None] * a2 - need) // self.m1[:, None])


def nearest_agree(climb: PairClimb, table: PairTable) -> bool:
    """Whether the breakpoint that is nearest to a whole number is right in each channel."""
    k, a2, truth = (array[:, None] for array in climb.nearest)
    return bool(proven(truth, table.places(k, a2), climb.first.low, climb.first.high).all())


def check_pair(climb: PairClimb, table: PairTable, stop_early: bool = False) -> tuple[int, int, int]:
    """Breakpoints proven, breakpoints looked at, and the worst count error, over every count of the second branch.

    stop_early: give up at the first breakpoint that is wrong.
    """
    total, off = climb.cases, climb.gaps.off(table.line)
    rest = np.nonzero(~(off < climb.gaps.width))[0]
    wrong, worst = _case_by_case(climb, table, *climb.gaps.near(rest, off[rest]), stop_early)
    return total - wrong, total, worst


def _case_by_case(climb: PairClimb, table: PairTable, rows: Array, a2: Array, stop_early: bool) -> tuple[int, int]:
    """Breakpoints that differ, and the worst count error, for some counts a2 of some channels (one row a case)."""
    wrong, worst, start = 0, 0, 0
    counts = np.arange(climb.first.lo + 1, climb.first.hi + 1)
    most = max(1, BLOCK // len(counts))
    step = 1 if stop_early else most
    while start < len(rows):
        here, beside = rows[start : start + step], a2[start : start + step]
        part = climb.rows(here)
        first = part.first
        truth = breakpoints(
            first.unit, first.offset, first.scale, first.lo, first.hi, first.rounding, beside=(part.unit, beside)
        )
        found = table.rows(here).places(counts, beside[:, None])
        agree = proven(truth, found, first.low, first.high)
        if not agree.all():
            wrong += int((~agree).sum())
            worst = max(worst, count_error(truth, found, first.low, first.high))
            if stop_early:
                break
        start, step = start + step, min(4 * step, most)
    return wrong, worst
