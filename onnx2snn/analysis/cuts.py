"""The interval of exact thresholds, found by cuts; see `onnx2snn.analysis.solve`."""

from __future__ import annotations

import numpy as np

from onnx2snn.analysis.lines import Lines
from onnx2snn.ir import Array

SMALL = 1 << 40  #: products of such numbers with counts do not overflow
FINEST = 20  #: fractional bits of the grid that tells how fine a grid the bounds ask for at least
FAR = 2.0**62  #: an initial membrane that nothing bounds is kept below
SIDES = np.array([[-1], [1]])  #: thresholds are bounded from below and from above
BLOCK = 1 << 15  #: pairs of counts that are compared at once; they stay in the cache


class Cuts:
    """Bounds for the thresholds of some channels, tightened by every candidate that is not exact.

    For each channel and side whole numbers with  side size (theta - 2^F step) <= 2^F slope + margin;  size 0: no
    bound.  ties_even: whether every odd count is reached only past its tie.
    """

    def __init__(self, lines: Lines, ties_even: bool) -> None:
        self.lines, self.ruled = lines, ties_even
        self.odd = lines.counts % 2 * ties_even
        self.slope, self.margin, self.size = (np.zeros((2, len(lines)), np.int64) for _ in range(3))
        half = lines.i.shape[1] // 2
        early, late = slice(half), slice(half, None)
        step = max(1, BLOCK // max(1, half * half))
        for start in range(0, len(lines) if half else 0, step):
            rows = np.arange(start, min(start + step, len(lines)))
            self._cut_steepest(rows, late, early)
            self._cut_steepest(rows, early, late)

    def _cut_steepest(self, rows: Array, of_i: slice, of_j: slice) -> None:
        """Takes of all pairs of corners, i and j of some segments each, those that bound the threshold most."""
        lines = self.lines
        i, j = lines.i[rows, of_i], lines.j[rows, of_j]
        rise = lines.of_i[rows, of_i, None] - lines.of_j[rows, None, of_j]
        slope = ((rise + 1) / (i[:, :, None] - j[:, None, :])).reshape(len(rows), -1)
        place = slope.argmin(axis=1) if of_j.start is None else slope.argmax(axis=1)
        rise = rise.reshape(len(rows), -1)[np.arange(len(rows)), place]
        known = np.flatnonzero(np.isfinite(rise))
        one, other = np.divmod(place[known], j.shape[1])
        self._cut(rows[known], rise[known], i[known, one], j[known, other])

    def ends(self, rows: Array, shift: Array) -> tuple[Array, Array]:
        """The thresholds on a grid that no cut has excluded: from, to."""
        line, size = self.lines.step[rows] << shift, self.size[:, rows]
        bound = SIDES * (((self.slope[:, rows] << shift) + self.margin[:, rows]) // np.maximum(size, 1))
        if not size.all():
            free = np.stack([1 - line, np.iinfo(np.int64).max - line])
            bound = np.where(size == 0, free, bound)
        low, high = line + bound
        return low, high

    def hopeless(self, rows: Array) -> Array:
        """Where the bounds exclude every threshold on every grid."""
        (low, high), (below, above), size = self.slope[:, rows], self.margin[:, rows], self.size[:, rows]
        known = (size.min(axis=0) > 0) & (np.abs(low) < SMALL) & (np.abs(high) < SMALL)
        room = np.where(known, low * size[1] + high * size[0], 1)
        return (room < 0) | ((room == 0) & ((below < 0) | (above < 0)))

    def finest(self, rows: Array, most: int) -> Array:
        """For each channel fractional bits, up to `most`, such that no coarser grid holds a threshold for it.

        Of an interval [low, high] of the grid of F bits a multiple of 2^p is in, where low - 1 and high first differ
        in bit p; and no multiple of a higher power of two.
        """
        most = min(most, FINEST)
        known = (self.size[:, rows].min(axis=0) > 0) & (np.abs(self.slope[:, rows]).max(axis=0) < SMALL)
        low, high = self.ends(rows, np.where(known, most, 0))
        differing = np.frexp(((low - 1) ^ high).astype(np.float64))[1] - 1
        bits = np.where(low > high, most, np.where((low <= 0) & (high >= 0), 0, most - differing))
        return np.where(known, bits, 0)

    def try_out(self, rows: Array, x: Array, shift: Array) -> tuple[Array, Array]:
        """Which of the thresholds 2^shift (step + x) are exact, and with which initial membranes: nearest to the real.

        What the corners do not prove is tried at every count; the two that say that a threshold is not exact become a
        cut.
        """
        lines, unit = self.lines, 2.0**-shift
        v0 = np.rint(lines.v0[rows] * 2.0**shift).astype(np.int64)
        base = lines.base[rows] << shift
        good = np.zeros(len(rows), bool) if self.ruled else lines.proves(rows, x, (v0 + base) * unit)
        rest = np.flatnonzero(~good)
        if len(rest):
            unit = unit[rest]
            least, most, rise, i, j = lines.ends(rows[rest], x[rest], self.odd * unit[:, None] if self.ruled else None)
            most += 1 - unit
            right = least <= most
            self._cut(rows[rest[~right]], rise[~right], i[~right], j[~right])
            low, high = np.clip(np.stack([least, most]) * 2.0 ** shift[rest], -FAR, FAR).astype(np.int64)
            v0[rest] = np.minimum(np.maximum(v0[rest] + base[rest], low), high) - base[rest]
            good[rest] = right
        return good, v0

    def _cut(self, rows: Array, rise: Array, i: Array, j: Array) -> None:
        """Takes the bound of counts i and j of channels: i theta - v0 <= b_i 2^F, j theta - v0 > (b_j - 1) 2^F."""
        size = i - j
        side = (size > 0).astype(np.intp)  # from below where i < j
        self.slope[side, rows] = rise + 1
        self.margin[side, rows] = self.odd[j] - self.odd[i] - 1
        self.size[side, rows] = np.abs(size)
