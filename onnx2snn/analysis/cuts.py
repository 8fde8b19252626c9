"""The interval of exact thresholds, found by cuts; see `onnx2snn.analysis.solve`.

Everything is taken relative to a line near the breakpoints, b_k = k step + base + u_k with whole `step` and `base`: the
u_k stay small, and with theta = 2^F (step + x) the quantity k theta - v0 becomes k x - u_k, exact in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.ir import Array

MOST_BITS = 61  #: of v0, so that a membrane holds it
SMALL = 1 << 40  #: products of such numbers with counts do not overflow


class Block:
    """Breakpoints of some channels relative to their line, and what the real-valued neuron would have.

    theta, v0: threshold and initial membrane of the real neuron in units of the accumulator, float64 (channels,).
    """

    def __init__(self, climb: Climb) -> None:
        self.counts = np.arange(climb.lo + 1, climb.hi + 1)
        self.theta = climb.scale / climb.unit
        self.v0 = self.theta / 2 + climb.offset / climb.unit
        self.step = np.floor(self.theta).astype(np.int64)
        low, high = climb.low[:, None], climb.high[:, None]
        b = climb.breakpoints()
        always, never = b <= low, b > high
        self.always, self.never = (mask if mask.any() else None for mask in (always, never))
        if self.always is not None or self.never is not None:
            b = np.clip(b, low, high + 1)
        self.first = np.zeros(len(b), np.int64) if self.always is None else always.sum(axis=1)
        self.past = np.full(len(b), b.shape[1]) if self.never is None else b.shape[1] - never.sum(axis=1)
        b -= self.counts * self.step[:, None]
        self.base = b[np.arange(len(b)), np.minimum(self.first, b.shape[1] - 1)]
        b -= self.base[:, None]
        self.u = b.astype(np.float64)
        self.places = self.counts.astype(np.float64)

    def __len__(self) -> int:
        return len(self.theta)

    def cuts(self, ties_even: bool) -> Cuts:
        """The search for thresholds, with or without the rule that sends ties to the even count."""
        return Cuts(self, self.counts % 2 if ties_even else np.zeros_like(self.counts))

    def fits(self, rows: Array, shift: int) -> Array:
        """Where the initial membrane on a grid is a number that a membrane holds."""
        return np.abs(self.base[rows]) < 1 << (MOST_BITS - shift)

    def decides(self, rows: Array, theta: Array, shift: int) -> Array:
        """Whether float64 holds every k x - u_k exactly: |u_k| is below theta and the number of counts together."""
        x = np.abs(np.ldexp(theta.astype(np.float64), -shift) - self.step[rows])
        largest = np.abs(self.places[[0, -1]]).max() * x + len(self.counts) + self.theta[rows] + 3
        return np.ldexp(largest, shift) < 2**53

    def initial(self, rows: Array, least: Array, most: Array, shift: int) -> Array:
        """The v0 nearest to the real one within [least, most], which are relative to the line."""
        base, far = self.base[rows] << shift, 2.0**62
        wish = np.rint(self.v0[rows] * (1 << shift)).astype(np.int64)
        low, high = (np.clip(np.ldexp(end, shift), -far, far).astype(np.int64) for end in (least, most))
        return np.clip(wish + base, low, high) - base


@dataclass
class _Bound:
    """For each channel whole numbers with `size` (theta - 2^F step) >= or <= 2^F slope + margin; size 0: no bound."""

    slope: Array
    margin: Array
    size: Array

    def end(self, shift: int, rows: Array, otherwise: Array, side: int) -> Array:
        """The least (side -1) or greatest (side 1) whole number that keeps to the bound."""
        size, total = self.size[rows], (self.slope[rows] << shift) + self.margin[rows]
        whole = np.maximum(size, 1)
        return np.where(size == 0, otherwise, total // whole if side > 0 else -(-total // whole))

    def set(self, rows: Array, slope: Array, margin: Array, size: Array) -> None:
        self.slope[rows], self.margin[rows], self.size[rows] = slope, margin, size


@dataclass
class Cuts:
    """Bounds for the thresholds of a block, tightened by every candidate that is not exact.

    odd: 1 for every count that is reached only past its tie.
    """

    block: Block
    odd: Array
    below: _Bound = field(init=False)
    above: _Bound = field(init=False)

    def __post_init__(self) -> None:
        block, size = self.block, len(self.block)
        self.below, self.above = (_Bound(*(np.zeros(size, np.int64) for _ in range(3))) for _ in range(2))
        rows, last = np.arange(size), len(block.counts) - 1
        from_, to = np.maximum(block.first - 1, 0), np.minimum(block.past, last)
        self._cut(rows[(from_ < to) & (from_ < block.past)], from_, to)
        from_, to = block.past - 1, block.first
        self._cut(rows[from_ > to], from_, to)

    def ends(self, rows: Array, shift: int) -> tuple[Array, Array]:
        """The thresholds on a grid that no cut has excluded: from, to."""
        line = self.block.step[rows] << shift
        low = self.below.end(shift, rows, 1 - line, -1)
        high = self.above.end(shift, rows, np.full(len(rows), np.iinfo(np.int64).max) - line, 1)
        return line + low, line + high

    def hopeless(self) -> Array:
        """Where the bounds exclude every threshold on every grid."""
        below, above = self.below, self.above
        known = (below.size > 0) & (above.size > 0) & (np.abs(below.slope) < SMALL) & (np.abs(above.slope) < SMALL)
        gap = np.where(known, below.slope * above.size - above.slope * below.size, -1)
        return (gap > 0) | ((gap == 0) & ((below.margin > 0) | (above.margin < 0)))

    def try_out(self, rows: Array, theta: Array, shift: int) -> tuple[Array, Array]:
        """The least and greatest v0, relative to the line and in units of 2^shift, with which theta is exact.

        Where the least is above the greatest, theta is not exact; the two counts that say so become a cut.
        """
        block, unit = self.block, 2.0**-shift
        x = (theta - (block.step[rows] << shift)) * unit
        need = block.places * x[:, None]
        need -= block.u if len(rows) == len(block) else block.u[rows]
        if self.odd.any():
            need += self.odd * unit
        upto = need if block.never is None else np.where(block.never[rows], -np.inf, need)
        over = need if block.always is None else np.where(block.always[rows], np.inf, need)
        i, j, here = upto.argmax(axis=1), over.argmin(axis=1), np.arange(len(rows))
        least, most = upto[here, i], over[here, j] + (1 - unit)
        wrong = np.nonzero(least > most)[0]
        full_i, full_j = np.zeros((2, len(block)), np.int64)
        full_i[rows], full_j[rows] = i, j
        self._cut(rows[wrong], full_i, full_j)
        return least, most

    def _cut(self, rows: Array, i: Array, j: Array) -> None:
        """Takes the bound of counts i and j of every channel: i theta - v0 <= b_i 2^F, j theta - v0 > (b_j - 1) 2^F."""
        i, j, u = i[rows], j[rows], self.block.u
        size = j - i
        slope = (u[rows, j] - u[rows, i]).astype(np.int64) - 1
        margin = 1 + self.odd[i] - self.odd[j]
        up = size > 0
        self.below.set(rows[up], slope[up], margin[up], size[up])
        self.above.set(rows[~up], -slope[~up], -margin[~up], -size[~up])
