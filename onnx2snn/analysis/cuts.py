"""The interval of exact thresholds, found by cuts; see `onnx2snn.analysis.solve`.

Everything is taken relative to a line near the breakpoints, b_k = k step + base + u_k with whole `step` and `base`: the
u_k stay small, and with theta = 2^F (step + x) the quantity k theta - v0 becomes k x - u_k, exact in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.analysis.breakpoints import CACHED, Climb
from onnx2snn.ir import Array

MOST_BITS = 61  #: of v0, so that a membrane holds it
SMALL = 1 << 40  #: products of such numbers with counts do not overflow
SEGMENTS = 8  #: of the counts, each with a corner on either side
FINEST = 20  #: fractional bits of the grid that tells how fine a grid the bounds ask for at least
SIDES = np.array([[-1], [1]])  #: thresholds are bounded from below and from above


class Block:
    """Breakpoints of some channels relative to their line, and what the real-valued neuron would have.

    theta, v0: threshold and initial membrane of the real neuron in units of the accumulator, float64 (channels,).
    """

    def __init__(self, climb: Climb) -> None:
        self.counts = np.arange(climb.lo + 1, climb.hi + 1)
        self.places = self.counts.astype(np.float64)
        self.theta = climb.scale / climb.unit
        self.v0 = self.theta / 2 + climb.offset / climb.unit
        self.step = np.floor(self.theta).astype(np.int64)
        self.first, self.past, self.base = np.empty((3, len(self.theta)), np.int64)
        self.u = np.empty((len(self.theta), len(self.counts)))
        start = 0
        for part in climb.parts():
            stop = start + len(part.unit)
            self._place(part, slice(start, stop))
            start = stop
        self.every = self._every()
        self.reach = float(np.abs(self.places[[0, -1]]).max())

    def _place(self, part: Climb, rows: slice) -> None:
        """Takes the breakpoints of some channels."""
        low, high = part.low[:, None], part.high[:, None]
        b, last = part.breakpoints(), len(self.counts) - 1
        self.first[rows], self.past[rows] = (b <= low).sum(axis=1), (b <= high).sum(axis=1)
        if self.first[rows].any() or (self.past[rows] <= last).any():
            np.clip(b, low, high + 1, out=b)
        b -= self.counts * self.step[rows, None]
        self.base[rows] = b[np.arange(len(b)), np.minimum(self.first[rows], last)]
        b -= self.base[rows, None]
        self.u[rows] = b

    def _every(self) -> Looked:
        """All counts: a breakpoint that is always or never passed binds from one side alone."""
        upper, lower, order = self.u, self.u, np.arange(len(self.counts))
        if (self.past < len(order)).any():
            upper = np.where(order >= self.past[:, None], np.inf, self.u)
        if self.first.any():
            lower = np.where(order < self.first[:, None], -np.inf, self.u)
        return Looked(self.places, upper, lower)

    def __len__(self) -> int:
        return len(self.theta)

    def corners(self) -> Looked:
        """The counts that bind the real neuron most, some on either side: most candidates break one of theirs."""
        size = -(-len(self.counts) // SEGMENTS)
        if size < 3:
            return self.every
        x, parts = self.theta - self.step, [slice(n, n + size) for n in range(0, len(self.counts), size)]
        i, j = np.empty((2, len(self), len(parts)), np.intp)
        step = max(1, CACHED // len(self.counts))
        for rows in (slice(n, n + step) for n in range(0, len(self), step)):
            line = self.places * x[rows, None]
            upto = line - self.every.upper[rows]
            over = upto if self.every.lower is self.every.upper else line - self.every.lower[rows]
            for column, part in enumerate(parts):
                i[rows, column] = part.start + upto[:, part].argmax(axis=1)
                j[rows, column] = part.start + over[:, part].argmin(axis=1)
        every = np.arange(len(self))[:, None]
        return Looked(self.places, self.every.upper[every, i], self.every.lower[every, j], i, j)

    def fits(self, rows: Array, shift: int) -> Array:
        """Where the initial membrane on a grid is a number that a membrane holds."""
        return np.abs(self.base[rows]) < 1 << (MOST_BITS - shift)

    def decides(self, rows: Array, x: Array, shift: int) -> Array:
        """Whether float64 holds every k x - u_k exactly: |u_k| is below theta and the number of counts together."""
        largest = self.reach * np.abs(x) + (self.theta[rows] + (len(self.counts) + 3))
        return largest < 2.0 ** (53 - shift)

    def initial(self, rows: Array, least: Array, most: Array, shift: int) -> Array:
        """The v0 nearest to the real one within [least, most], which are relative to the line."""
        base, far = self.base[rows] << shift, 2.0**62
        wish = np.rint(self.v0[rows] * (1 << shift)).astype(np.int64)
        low, high = np.clip(np.stack([least, most]) * (1 << shift), -far, far).astype(np.int64)
        return np.minimum(np.maximum(wish + base, low), high) - base


@dataclass(frozen=True)
class Looked:
    """Counts that a candidate is tried at, and what stands for u_k there.

    counts: float64, all of the block.  upper, lower: float64 (channels, m); inf and -inf at breakpoints that are
    never or always passed, which bind k x - u_k from one side alone.  i, j: which counts these are, (channels, m);
    None: all of them in order.
    """

    counts: Array
    upper: Array
    lower: Array
    i: Array | None = None
    j: Array | None = None

    def ends(self, rows: Array, x: Array, odd: Array | None) -> tuple[Array, Array, Array, Array]:
        """The greatest and the least k x - u_k of some channels, (rows,) each, and the counts that have them.

        odd: what the rule for ties adds at each count.
        """
        parts = max(1, CACHED // self.upper.shape[1])
        if len(rows) > parts:
            found = [self.ends(rows[n : n + parts], x[n : n + parts], odd) for n in range(0, len(rows), parts)]
            greatest, least, i, j = (np.concatenate(several) for several in zip(*found, strict=True))
            return greatest, least, i, j
        here = np.arange(len(rows))
        upto = self._need(self.upper, self.i, rows, x, odd)
        i = upto.argmax(axis=1)
        over = upto if self.lower is self.upper else self._need(self.lower, self.j, rows, x, odd)
        j = over.argmin(axis=1)
        greatest, least = upto[here, i], over[here, j]
        return greatest, least, i if self.i is None else self.i[rows, i], j if self.j is None else self.j[rows, j]

    def _need(self, u: Array, columns: Array | None, rows: Array, x: Array, odd: Array | None) -> Array:
        every = len(rows) == len(u)
        counts = self.counts if columns is None else self.counts[columns if every else columns[rows]]
        need = counts * x[:, None]
        need -= u if every else u[rows]
        if odd is not None:
            need += odd if columns is None else odd[columns if every else columns[rows]]
        return need


class Cuts:
    """Bounds for the thresholds of a block, tightened by every candidate that is not exact.

    For each channel and side whole numbers with  side size (theta - 2^F step) <= 2^F slope + margin;  size 0: no
    bound.  odd: 1 for every count that is reached only past its tie.
    """

    def __init__(self, block: Block, odd: Array) -> None:
        self.block, self.odd, self.ruled = block, odd, bool(odd.any())
        self.corners = block.corners()
        self.slope, self.margin, self.size = (np.zeros((2, len(block)), np.int64) for _ in range(3))
        rows, last = np.arange(len(block)), len(block.counts) - 1
        from_, to = np.maximum(block.first - 1, 0), np.minimum(block.past, last)
        there = (from_ < to) & (from_ < block.past)
        self._cut(rows[there], from_[there], to[there])
        from_, to = block.past - 1, block.first
        there = from_ > to
        self._cut(rows[there], from_[there], to[there])

    def ends(self, rows: Array, shift: int) -> tuple[Array, Array]:
        """The thresholds on a grid that no cut has excluded: from, to."""
        line, size = self.block.step[rows] << shift, self.size[:, rows]
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

    def finest(self, rows: Array, most: int) -> int:
        """No coarser grid than of so many fractional bits, up to `most`, holds a threshold for each of these channels.

        Of an interval [low, high] of the grid of F bits a multiple of 2^p is in, where low - 1 and high first differ
        in bit p; and no multiple of a higher power of two.
        """
        most = min(most, FINEST)
        known = (self.size[:, rows].min(axis=0) > 0) & (np.abs(self.slope[:, rows]).max(axis=0) < SMALL)
        low, high = self.ends(rows[known], most)
        if not len(low):
            return 0
        differing = np.frexp(((low - 1) ^ high).astype(np.float64))[1] - 1
        return int(np.where(low > high, most, np.where((low <= 0) & (high >= 0), 0, most - differing)).max())

    def try_out(self, rows: Array, x: Array, shift: int) -> tuple[Array, Array, Array]:
        """Which of the thresholds 2^shift (step + x) are exact, and the least and greatest v0 with which those are.

        v0 is relative to the line and in units of 2^shift. The two counts that say that a threshold is not exact
        become a cut.
        """
        good, least, most = self._tried(self.corners, rows, x, shift)
        if self.corners is not self.block.every and len(least):
            among = np.nonzero(good)[0]
            right, least, most = self._tried(self.block.every, rows[among], x[among], shift)
            good[among] = right
        return good, least, most

    def _tried(self, looked: Looked, rows: Array, x: Array, shift: int) -> tuple[Array, Array, Array]:
        unit = 2.0**-shift
        least, most, i, j = looked.ends(rows, x, self.odd * unit if self.ruled else None)
        most = most + (1 - unit)
        good = least <= most
        if good.all():
            return good, least, most
        self._cut(rows[~good], i[~good], j[~good])
        return good, least[good], most[good]

    def _cut(self, rows: Array, i: Array, j: Array) -> None:
        """Takes the bound of counts i and j of channels: i theta - v0 <= b_i 2^F, j theta - v0 > (b_j - 1) 2^F."""
        size, u = i - j, self.block.u
        side = (size > 0).astype(np.intp)  # from below where i < j
        self.slope[side, rows] = u[rows, i] - u[rows, j] + 1
        self.margin[side, rows] = self.odd[j] - self.odd[i] - 1
        self.size[side, rows] = np.abs(size)
