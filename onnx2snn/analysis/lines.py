"""Staircases as lines: how near each comes to the whole numbers, part by part of its counts.

The k-th breakpoint is the least whole number from x_k on, and the x_k lie on a line. Everything is taken relative to a
line of whole numbers near it, b_k = k step + base + u_k: the u_k stay small, and with theta = 2^F (step + x) the
quantity k theta - v0 becomes k x - u_k, exact in float64.

A neuron puts its breakpoints at the least whole numbers from y_k = (k theta - v0) / 2^F on. y_k - x_k is linear in k:
over a segment of the counts it lies between what it is at the first and at the last of them. Where both are nearer to
zero than any x_k of the segment to the whole number on their side, all these breakpoints are the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnx2snn.analysis.breakpoints import CACHED, DOUBT, Climb
from onnx2snn.analysis.turns import extremes, resolution
from onnx2snn.ir import Array

MOST_BITS = 61  #: of v0, so that a membrane holds it
SEGMENTS = 8  #: of the counts, each with a corner on either side
FAR = 2.0**60  #: places beyond have no line in int64; their breakpoints are refused


class Lines:
    """The staircases of some channels relative to their lines, and what the real-valued neurons would have.

    theta, v0: threshold and initial membrane of the real neuron in units of the accumulator, float64 (channels,).
    i, j: of each segment the count whose breakpoint is least above the line, and the one whose breakpoint less one is
    least below it: corners, which bind the neuron most. As indices of counts, int64 (channels, segments).
    of_i, of_j: u_k there, float64 like them; inf and -inf where no breakpoint of the segment binds.
    above, below: by how much the corners are so at least; zero where that is not known.

    A channel is plain where float64 decides all its breakpoints and the accumulator reaches them all; the breakpoints
    of the others are kept.
    """

    def __init__(self, climb: Climb) -> None:
        self.climb = climb
        self.counts = np.arange(climb.lo + 1, climb.hi + 1)
        self.places = self.counts.astype(np.float64)
        self.index = np.arange(len(self.counts), dtype=np.float64)
        size = -(-len(self.counts) // SEGMENTS)
        self.starts = np.arange(0, len(self.counts), size)
        self.stops = np.minimum(self.starts + size, len(self.counts))
        self.theta = climb.scale / climb.unit
        shift = climb.offset / climb.unit
        self.v0 = self.theta / 2 + shift
        self.step = np.floor(self.theta).astype(np.int64)
        self.slope = self.theta - self.step
        start = np.clip((climb.lo + 0.5) * self.theta - shift, -FAR, FAR)
        first = np.ceil(start)
        self.start = start - first
        self.base = first.astype(np.int64) - self.counts[0] * self.step
        most, least, self.i, self.j = extremes(self.start, self.slope, len(self.counts), size)
        self.of_i, self.of_j = (np.ceil(k * self.slope[:, None] + self.start[:, None]) for k in (self.i, self.j))
        terms = np.abs(shift) + self.theta * max(abs(climb.lo), abs(climb.hi)) + len(self.counts)
        doubt = 2 * (DOUBT * (1.0 + terms) + resolution(len(self.counts)))[:, None]
        self.above, self.below = 1 - most - doubt, least - doubt
        last = np.ceil(start + (len(self.counts) - 1) * self.theta)
        plain = (self.above.min(axis=1) > 0) & (self.below.min(axis=1) > 0) & (first > climb.low) & (last <= climb.high)
        self._keep(np.flatnonzero(~plain))

    def __len__(self) -> int:
        return len(self.theta)

    def _keep(self, rows: Array) -> None:
        """Works out the breakpoints of channels that are not plain, and their corners."""
        self.above[rows], self.below[rows] = 0, 0
        self.kept = np.full(len(self), -1)
        self.kept[rows] = np.arange(len(rows))
        self.upper = np.empty((len(rows), len(self.counts)))
        self.lower = np.empty_like(self.upper)
        done = 0
        for part in self.climb.taken(rows).parts():
            here = slice(done, done + len(part.unit))
            self._place(part, rows[here], self.upper[here], self.lower[here])
            done = here.stop

    def _place(self, part: Climb, rows: Array, upper: Array, lower: Array) -> None:
        """Fills in the `bounds` of some channels, and what depends on them."""
        low, high = part.low[:, None], part.high[:, None]
        b, last = part.breakpoints(), len(self.counts) - 1
        always, never = b <= low, b > high
        clipped = always[:, 0].any() or never[:, -1].any()
        if clipped:
            np.clip(b, low, high + 1, out=b)
        b -= self.counts * self.step[rows, None]
        self.base[rows] = b[np.arange(len(b)), np.minimum(always.sum(axis=1), last)]
        b -= self.base[rows, None]
        upper[:], lower[:] = b, b
        if clipped:
            upper[never], lower[always] = np.inf, -np.inf
        line = self.places * self.slope[rows, None]
        upto, over, here = line - upper, line - lower, np.arange(len(b))
        for n, (start, stop) in enumerate(zip(self.starts, self.stops, strict=True)):
            i, j = start + upto[:, start:stop].argmax(axis=1), start + over[:, start:stop].argmin(axis=1)
            self.i[rows, n], self.j[rows, n] = i, j
            self.of_i[rows, n], self.of_j[rows, n] = upper[here, i], lower[here, j]

    def bounds(self, rows: Array) -> tuple[Array, Array]:
        """u_k of some channels as k x - u_k is bounded from below and from above, float64 (rows, counts) each.

        inf and -inf at breakpoints that are never or always passed, which bind from one side alone.
        """
        kept = self.kept[rows]
        if (kept >= 0).all():
            return self.upper[kept], self.lower[kept]
        u = self.index * self.slope[rows, None]
        u += self.start[rows, None]
        np.ceil(u, out=u)
        among = np.flatnonzero(kept >= 0)
        if not len(among):
            return u, u
        upper, lower = u, u.copy()
        upper[among], lower[among] = self.upper[kept[among]], self.lower[kept[among]]
        return upper, lower

    def ends(self, rows: Array, x: Array, odd: Array | None) -> tuple[Array, Array, Array, Array, Array]:
        """The greatest and the least k x - u_k of some channels, and of the counts i, j that have them u_i - u_j.

        i, j are indices. x: (rows,).  odd: what the rule for ties adds to k x - u_k, (rows, counts); None: nothing.
        """
        greatest, least, rise = np.empty((3, len(rows)))
        i, j = np.empty((2, len(rows)), np.int64)
        for part in _slices(len(rows), len(self.counts)):
            upper, lower = self.bounds(rows[part])
            line = self.places * x[part, None]
            if odd is not None:
                line += odd[part]
            upto = line - upper
            over = upto if upper is lower else line - lower
            i[part], j[part] = upto.argmax(axis=1), over.argmin(axis=1)
            of_i, of_j = (np.arange(len(line)), i[part]), (np.arange(len(line)), j[part])
            greatest[part], least[part], rise[part] = upto[of_i], over[of_j], upper[of_i] - lower[of_j]
        return greatest, least, rise, i, j

    def proves(self, rows: Array, x: Array, v0: Array) -> Array:
        """Where the corners prove a threshold 2^F (step + x) exact; v0: in units of 2^F, relative to the line."""
        off, tilt = (self.places[0] * x - v0 - self.start[rows])[:, None], (x - self.slope[rows])[:, None]
        one, other = off + self.starts * tilt, off + (self.stops - 1) * tilt
        most, least = np.maximum(one, other), np.minimum(one, other)
        return ((most < self.above[rows]) & (-least < self.below[rows])).all(axis=1)

    def fits(self, rows: Array, shift: Array) -> Array:
        """Where the initial membrane on a grid is a number that a membrane holds."""
        return np.abs(self.base[rows]) < 1 << (MOST_BITS - shift)

    def decides(self, rows: Array, x: Array, shift: Array) -> Array:
        """Whether float64 holds every k x - u_k exactly: |u_k| is below theta and the number of counts together."""
        reach = np.abs(self.places[[0, -1]]).max()
        return reach * np.abs(x) + (self.theta[rows] + (len(self.counts) + 3)) < 2.0 ** (53 - shift)


def _slices(rows: int, width: int) -> Iterator[slice]:
    """Slices of rows of so many numbers each that stay in the processor's cache together."""
    step = max(1, CACHED // width)
    return (slice(start, start + step) for start in range(0, rows, step))
