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
from onnx2snn.ir import Array

BLOCK = 1 << 15  #: numbers that are sorted at once; they stay in the cache
TURN = 1 << 52  #: a fraction is kept as a whole number out of so many


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
    k, a2: the breakpoint that has it.
    """

    line: Line
    climb: Climb
    counts: range
    doubt: Array
    width: Array
    k: Array
    a2: Array

    def off(self, table: Line) -> Array:
        """The most by which a table is off in each channel; where it is below `width`, no breakpoint can differ.

        table: its own numbers, for k in place of k - 1/2; whole ones, so that a tie moves them by 1 / unit at most.
        """
        least_k, most_k, ends = self.climb.lo + 1, self.climb.hi, (self.counts[0], self.counts[-1])
        corners = [(k, a2) for k in (least_k, most_k) for a2 in ends]
        off = np.max([np.abs(table.at(k, a2) - self.line.at(k - 0.5, a2)) for k, a2 in corners], axis=0)
        largest = max(abs(least_k), abs(most_k)), max(map(abs, ends))
        return off + 1.0 / table.unit + table.doubt(*largest) + self.doubt

    def near(self, rows: Array, within: Array) -> tuple[Array, Array]:
        """In which of these channels, and at which a2, any breakpoint is as near to a whole number as `within`."""
        k, a2 = np.arange(self.climb.lo + 1, self.climb.hi + 1), np.arange(self.counts[0], self.counts[-1] + 1)
        close = np.zeros((len(rows), len(a2)), bool)
        for i, row in enumerate(rows):
            mine, yours = _fractions(self.line, slice(row, row + 1), k, a2)
            close[i] = _distance(np.sort(mine[0]), yours[0]) <= (within[i] + self.doubt[row]) * TURN
        found, columns = np.nonzero(close)
        return rows[found], a2[columns]


def gaps(climb: Climb, other: Array, counts: range) -> Gaps:
    """The gaps of a staircase over two lattices: the first as `climb` has it, the second of unit `other`."""
    line = Line(climb.scale, climb.offset, other, climb.unit)
    step = max(1, BLOCK // (climb.hi - climb.lo + len(counts)))
    k, a2 = np.arange(climb.lo + 1, climb.hi + 1), np.arange(counts[0], counts[-1] + 1)
    found = [_nearest(line, slice(start, start + step), k, a2) for start in range(0, len(other), step)]
    width, nearest_k, nearest_a2 = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    doubt = line.doubt(max(abs(climb.lo), abs(climb.hi)), int(np.abs(a2).max()))
    return Gaps(line, climb, counts, doubt, width - doubt, nearest_k, nearest_a2)


def _nearest(line: Line, rows: slice, k: Array, a2: Array) -> tuple[Array, Array, Array]:
    """The least distance between a fraction of one kind and one of the other, round the circle, and whose they are."""
    mine, yours = _fractions(line, rows, k, a2)
    keys = np.sort(np.concatenate([2 * mine, 2 * yours + 1], axis=1), axis=1)
    keys = np.concatenate([keys, keys[:, :1] + 2 * TURN], axis=1)
    apart = np.diff(keys)
    apart[(keys[:, 1:] ^ keys[:, :-1]) & 1 == 0] = 2 * TURN
    here, place = np.arange(len(keys)), apart.argmin(axis=1)
    one, two = keys[here, place] % (2 * TURN), keys[here, place + 1] % (2 * TURN)
    first: Array = np.where(one % 2 == 0, one, two) // 2
    second: Array = np.where(one % 2 == 0, two, one) // 2
    width = (apart[here, place] - 4) / (2 * TURN)
    return width, k[(mine == first[:, None]).argmax(axis=1)], a2[(yours == second[:, None]).argmax(axis=1)]


def _distance(mine: Array, yours: Array) -> Array:
    """How far each of `yours` is at least from the nearest of `mine`, which are sorted, round the circle."""
    place: Array = np.searchsorted(mine, yours)
    after: Array = mine[place % len(mine)] + TURN * (place == len(mine)) - yours
    before: Array = yours - mine[place - 1] + TURN * (place == 0)
    return np.minimum(after, before) - 4


def _fractions(line: Line, rows: slice, k: Array, a2: Array) -> tuple[Array, Array]:
    """The parts above the whole number below them of the terms in k and of those in a2, out of `TURN`."""
    scale, offset, other, unit = (a[rows, None] for a in (line.scale, line.offset, line.other, line.unit))
    return _fraction(((k - 0.5) * scale - offset) / unit), _fraction(a2 * other / unit)


def _fraction(x: Array) -> Array:
    return ((x - np.floor(x)) * TURN).astype(np.int64) & (TURN - 1)
