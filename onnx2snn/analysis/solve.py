"""Threshold and initial membrane of an integer neuron: solved for, not rounded.

A pair (theta, v0) on a grid of F fractional bits climbs at the breakpoints b_k if and only if
    (b_k - 1) 2^F < k theta - v0 <= b_k 2^F      for every k that the accumulator can reach,
which for each candidate theta is an interval for v0. Breakpoints that are always or never passed ask for less:
k theta - v0 <= low 2^F, and k theta - v0 > high 2^F.

Every two counts i, j together bound theta alone, from below where i < j and from above where i > j; so the exact
thresholds of a channel are those of one interval. Cuts find it: the candidate nearest to the real threshold is either
exact or breaks the bound of two counts, which cuts the interval for the next candidate and for every finer grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.analysis.cuts import Block, Cuts
from onnx2snn.ir import Array

BLOCK = 1 << 19  #: breakpoints that are solved for together
MOST_THETA = 1 << 52  #: up to here the search is exact in float64


@dataclass(frozen=True)
class Limits:
    """What a target can hold: fractional bits, the largest threshold, and its significant bits (0: any number)."""

    shift: int = 32
    theta: int = MOST_THETA
    significant_bits: int = 0

    def holds(self, theta: Array) -> Array:
        """Which thresholds the target can store."""
        fits = (theta >= 1) & (theta <= self.theta)
        if self.significant_bits:
            lowest = theta & -theta
            fits &= theta < lowest << self.significant_bits
        return fits

    def nearest(self, wish: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """The threshold in [low, high] nearest to the real number wished for, and whether the target holds any."""
        high = np.minimum(high, min(self.theta, MOST_THETA))
        low = np.maximum(low, 1)
        centre = np.maximum(np.minimum(wish, high), low)
        below, above = self._down(np.floor(centre).astype(np.int64)), self._up(np.ceil(centre).astype(np.int64))
        first, second = (below >= low) & (below <= high), (above >= low) & (above <= high)
        nearer = first & (~second | (np.abs(below - wish) <= np.abs(above - wish)))
        return np.where(nearer, below, above), first | second

    def _grain(self, theta: Array) -> Array:
        _, bits = np.frexp(theta.astype(np.float64))
        return 1 << np.maximum(bits.astype(np.int64) - self.significant_bits, 0)

    def _down(self, theta: Array) -> Array:
        return theta if not self.significant_bits else theta // self._grain(theta) * self._grain(theta)

    def _up(self, theta: Array) -> Array:
        return theta if not self.significant_bits else -(-theta // self._grain(theta)) * self._grain(theta)


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
    blocks = [Block(part) for part in climb.split(max(1, BLOCK // (climb.hi - climb.lo)))]
    best = _on_smallest_grid(blocks, limits, ties_even=False)
    if tie_rule and not best.solved.all():
        even = _on_smallest_grid(blocks, limits, ties_even=True)
        best = even if even.solved.sum() > best.solved.sum() else best
    return best


def _on_smallest_grid(blocks: list[Block], limits: Limits, ties_even: bool) -> Solution:
    searches = [_Search(block, limits, ties_even) for block in blocks]
    needed = 0
    for search in searches:
        needed = search.run(needed)
    solved = all(search.solved.all() for search in searches)
    shift = needed if solved else _largest_grid(blocks, limits)
    for search in searches:
        search.settle(shift)
    theta, v0, found = (np.concatenate([getattr(s, name) for s in searches]) for name in ("theta", "v0", "solved"))
    return Solution(theta, v0, shift, ties_even, found)


class _Search:
    """The exact pairs of a block: theta, v0, and the grid `shift` on which each was found (-1: none yet)."""

    def __init__(self, block: Block, limits: Limits, ties_even: bool) -> None:
        self.block, self.limits = block, limits
        self.cuts = Cuts(block, block.counts % 2 if ties_even else np.zeros_like(block.counts))
        self.theta, self.v0 = np.zeros(len(block), np.int64), np.zeros(len(block), np.int64)
        self.shift = np.full(len(block), -1)

    @property
    def solved(self) -> Array:
        return self.shift >= 0

    def run(self, least: int) -> int:
        """Gives every channel a pair, where it has any, on the coarsest grid from `least` bits on that serves them all.

        Returns its bits, or `least`. What is exact on a grid is exact on every finer one, unless a limit keeps it from
        there: such channels get a pair of a coarser grid.
        """
        shift = least
        while shift <= self.limits.shift and len(rows := self._open()):
            shift = max(shift, self.cuts.finest(rows, self.limits.shift))
            self._on_grid(rows, shift)
            shift += 1
        for coarser in range(shift):
            if not len(rows := self._open()):
                break
            self._on_grid(rows, coarser)
        return max(least, int(self.shift.max()))

    def settle(self, shift: int) -> None:
        """Moves every channel to one grid; what has no exact pair there is rounded."""
        self.shift[self.shift != shift] = -1
        self._on_grid(self._open(), shift)
        rest = np.nonzero(~self.solved)[0]
        wish = self.block.theta[rest] * (1 << shift)
        every = np.full(len(rest), MOST_THETA)
        self.theta[rest], _ = self.limits.nearest(wish, np.ones_like(every), every)
        self.v0[rest] = np.rint(self.block.v0[rest] * (1 << shift)).astype(np.int64)

    def _open(self) -> Array:
        """Channels without a pair that may have one."""
        rows = np.nonzero(~self.solved)[0]
        return rows[~self.cuts.hopeless(rows)] if len(rows) else rows

    def _on_grid(self, rows: Array, shift: int) -> None:
        """The exact theta nearest to the real one, row by row: candidates until one is exact or none is left."""
        wish = self.block.theta * (1 << shift)
        rows = rows[(wish[rows] <= min(self.limits.theta, MOST_THETA) + 1) & self.block.fits(rows, shift)]
        while len(rows):
            theta, there = self.limits.nearest(wish[rows], *self.cuts.ends(rows, shift))
            x = (theta - (self.block.step[rows] << shift)) * 2.0**-shift
            there &= self.block.decides(rows, x, shift)
            if not there.all():
                rows, theta, x = rows[there], theta[there], x[there]
            good, least, most = self.cuts.try_out(rows, x, shift)
            done = rows[good]
            if len(done):
                self.theta[done], self.shift[done] = theta[good], shift
                self.v0[done] = self.block.initial(done, least, most, shift)
            rows = rows[~good]


def _largest_grid(blocks: list[Block], limits: Limits) -> int:
    """The finest useful grid whose rounded thresholds still fit."""
    largest = max(float(block.theta.max()) for block in blocks)
    return max((s for s in range(min(limits.shift, 16) + 1) if largest * (1 << s) <= limits.theta), default=0)
