"""How near the breakpoints of a sum of two branches come to a whole number, and which tables that proves.

The k-th breakpoint at count a2 is the least whole number from x = ((k - 1/2) s - offset - u2 a2) / u1 on, and a table
puts it at the least one from y = (k theta - v0 - m2 a2) / m1 on. Both are the same where |y - x| is below the distance
of x from the whole numbers. y - x is linear in k and a2, so it is largest at a corner; the least distance of all is
found by sorting: x is whole where the fractions of ((k - 1/2) s - offset) / u1 and of u2 a2 / u1 meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.analysis.breakpoints import DOUBT, Climb
from onnx2snn.analysis.turns import TURN, turns
from onnx2snn.ir import Array

BLOCK = 1 << 15  #: numbers that are sorted at once; they stay in the cache
HALF = np.uint64(32)  #: bits of a fraction that are sorted by, the last of which says whose it is
FINEST = 2.0**-31  #: by which two fractions differ at least then


@dataclass(frozen=True)
class Line:
    """The numbers (k scale - offset - a2 other) / unit of some channels, all float64 (channels,)."""

    scale: Array
    offset: Array
    other: Array
    unit: Array

    def at(self, k: float, a2: int) -> Array:
        """The numbers for one k and one a2."""
        return (k * self.scale - self.offset - a2 * self.other) / self.unit

    def doubt(self, most_k: int, most_a2: int) -> Array:
        """By how much float64 may be wrong about any of them."""
        terms = (most_k * self.scale + np.abs(self.offset) + most_a2 * self.other) / self.unit
        return DOUBT * (1.0 + terms)


@dataclass(frozen=True)
class Gaps:
    """Distances of a channel's breakpoints from the whole numbers.

    line: where they are.  doubt: by how much float64 may be wrong about them.
    width: the least distance, what float64 may be wrong by taken off.  All float64 (channels,).
    """

    line: Line
    climb: Climb
    counts: range
    doubt: Array
    width: Array

    @property
    def k(self) -> Array:
        """The counts whose breakpoints there are."""
        return np.arange(self.climb.lo + 1, self.climb.hi + 1)

    @property
    def a2(self) -> Array:
        """The counts of the second branch."""
        return np.arange(self.counts[0], self.counts[-1] + 1)

    def off(self, table: Line) -> Array:
        """The most by which a table is off in each channel; where it is below `width`, no breakpoint can differ.

        table: its own numbers, for k in place of k - 1/2; whole ones, so that a tie moves them by 1 / unit at most.
        """
        least_k, most_k, ends = self.climb.lo + 1, self.climb.hi, (self.counts[0], self.counts[-1])
        corners = [(k, a2) for k in (least_k, most_k) for a2 in ends]
        off = np.max([np.abs(table.at(k, a2) - self.line.at(k - 0.5, a2)) for k, a2 in corners], axis=0)
        largest = max(abs(least_k), abs(most_k)), max(map(abs, ends))
        return off + 1.0 / table.unit + table.doubt(*largest) + self.doubt

    def nearest(self, rows: Array) -> tuple[Array, Array]:
        """k and a2 of the breakpoint that is nearest to a whole number, in each of these channels."""
        keys = _keys(self.line, rows, self.climb, self.counts)
        ordered = np.sort(keys, axis=1)
        place, here = _apart(ordered).argmin(axis=1), np.arange(len(rows))
        one, two = ordered[here, place], ordered[here, (place + 1) % keys.shape[1]]
        mine, yours = (np.where(one & 1 == whose, one, two)[:, None] for whose in (0, 1))
        steps = len(self.k)
        return self.k[(keys[:, :steps] == mine).argmax(axis=1)], self.a2[(keys[:, steps:] == yours).argmax(axis=1)]

    def near(self, rows: Array, within: Array) -> tuple[Array, Array]:
        """In which of these channels, and at which a2, any breakpoint is as near to a whole number as `within`.

        The nearest first.
        """
        distances = np.empty((len(rows), len(self.counts)))
        for i in range(len(rows)):
            mine, yours = (part[0] for part in _fractions(self.line, rows[i : i + 1], self.climb, self.counts))
            distances[i] = _distance(np.sort(mine), yours)
        found, columns = np.nonzero(distances <= (within + self.doubt[rows])[:, None])
        order = np.argsort(distances[found, columns])
        return rows[found[order]], self.a2[columns[order]]


def gaps(climb: Climb, other: Array, counts: range) -> Gaps:
    """The gaps of a staircase over two lattices: the first as `climb` has it, the second of unit `other`."""
    line = Line(climb.scale, climb.offset, other, climb.unit)
    step = max(1, BLOCK // (climb.hi - climb.lo + len(counts)))
    width = np.empty(len(other))
    for start in range(0, len(other), step):
        rows = slice(start, start + step)
        keys = _keys(line, rows, climb, counts)
        keys.sort(axis=1)
        width[rows] = _apart(keys).min(axis=1) * FINEST
    doubt = line.doubt(max(abs(climb.lo), abs(climb.hi)), max(abs(counts[0]), abs(counts[-1])))
    return Gaps(line, climb, counts, doubt, width - FINEST - doubt)


def _keys(line: Line, rows: Array | slice, climb: Climb, counts: range) -> Array:
    """The fractions of the terms in k and of those in a2, uint32: the last bit of the former is 0, of the latter 1."""
    mine, yours = _fractions(line, rows, climb, counts)
    keys = np.empty((len(mine), mine.shape[1] + yours.shape[1]), np.uint32)
    np.right_shift(mine, HALF, out=keys[:, : mine.shape[1]], casting="unsafe")
    np.right_shift(yours, HALF, out=keys[:, mine.shape[1] :], casting="unsafe")
    keys[:, : mine.shape[1]] &= np.uint32(~1 & 0xFFFFFFFF)
    keys[:, mine.shape[1] :] |= np.uint32(1)
    return keys


def _apart(keys: Array) -> Array:
    """How far each of the sorted fractions is from the next one, round the circle, in `FINEST`; half a turn more
    between two of one kind."""
    apart = np.empty_like(keys)
    np.subtract(keys[:, 1:], keys[:, :-1], out=apart[:, :-1])
    np.subtract(keys[:, 0], keys[:, -1], out=apart[:, -1])
    alike = ~apart << np.uint32(31)
    apart >>= np.uint32(1)
    apart |= alike
    return apart


def _distance(mine: Array, yours: Array) -> Array:
    """How far each of `yours` is at most from the nearest of `mine`, which are sorted, round the circle."""
    place: Array = np.searchsorted(mine, yours)
    after: Array = mine[place % len(mine)] - yours
    before: Array = yours - mine[place - 1]
    return np.minimum(after, before) / TURN


def _fractions(line: Line, rows: Array | slice, climb: Climb, counts: range) -> tuple[Array, Array]:
    """The fractions of the terms in k and of those in a2, in `turns`: uint64 (rows, counts)."""
    scale, offset, other, unit = (a[rows, None] for a in (line.scale, line.offset, line.other, line.unit))
    slope, start = turns(scale / unit), turns(((climb.lo + 0.5) * scale - offset) / unit)
    mine = np.arange(climb.hi - climb.lo, dtype=np.uint64) * slope
    mine += start
    return mine, np.array(counts).astype(np.uint64) * turns(other / unit)
