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

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.analysis.cuts import Cuts
from onnx2snn.analysis.lines import Lines
from onnx2snn.analysis.rows import distinct
from onnx2snn.ir import Array
from onnx2snn.ir.ops import Rounding

TOGETHER = 1 << 23  #: breakpoints of layers that are solved for together
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
    return solve_layers([climb], limits, [tie_rule])[0]


def solve_layers(climbs: Sequence[Climb], limits: Limits, tie_rules: Sequence[bool]) -> list[Solution]:
    """The solution of each of several layers, each on the smallest grid of its own; see `solve`.

    Layers of the same counts are solved for together.
    """
    found: dict[int, Solution] = {}
    for batch in _batches(climbs):
        rules = np.array([tie_rules[i] for i in batch])
        found.update(zip(batch, _solved([climbs[i] for i in batch], limits, rules), strict=True))
    return [found[i] for i in range(len(climbs))]


def _batches(climbs: Sequence[Climb]) -> Iterator[list[int]]:
    """Layers of the same counts, no more together than have `TOGETHER` breakpoints, but for a single one."""
    alike: defaultdict[tuple[int, int, Rounding], list[int]] = defaultdict(list)
    for i, climb in enumerate(climbs):
        alike[climb.lo, climb.hi, climb.rounding].append(i)
    for (lo, hi, _), layers in alike.items():
        ends = np.cumsum([len(climbs[i].unit) for i in layers]) * (hi - lo) // TOGETHER
        for end in np.unique(ends):
            yield [i for i, its in zip(layers, ends, strict=True) if its == end]


def _solved(climbs: list[Climb], limits: Limits, tie_rules: Array) -> Iterator[Solution]:
    sizes = [len(climb.unit) for climb in climbs]
    layer = np.repeat(np.arange(len(climbs)), sizes)
    whole = Climb.joined(climbs)
    kinds = distinct(layer, whole.unit, whole.offset, whole.scale, whole.low, whole.high)
    lines, layer = Lines(whole.taken(kinds.first)), layer[kinds.first]
    search = _Search(lines, layer, limits, ties_even=False)
    search.run(np.arange(len(lines)))
    unsolved = np.bincount(layer, ~search.solved) * tie_rules
    even = np.zeros(len(climbs), bool)
    if unsolved.any():
        other = _Search(lines, layer, limits, ties_even=True)
        other.run(np.flatnonzero(unsolved[layer]))
        even = np.bincount(layer, ~other.solved) < unsolved
        search.take(other, np.flatnonzero(even[layer]))
    ends = np.cumsum(sizes)
    for i, (end, size) in enumerate(zip(ends, sizes, strict=True)):
        rows = kinds.inverse[end - size : end]
        shift = int(search.grid[i])
        yield Solution(search.theta[rows], search.v0[rows], shift, bool(even[i]), search.solved[rows])


class _Search:
    """The exact pairs of channels: theta, v0, and the grid `shift` on which each was found (-1: none yet).

    layer: of each channel.  grid: that of each layer.
    """

    def __init__(self, lines: Lines, layer: Array, limits: Limits, ties_even: bool) -> None:
        self.lines, self.layer, self.limits = lines, layer, limits
        self.cuts = Cuts(lines, ties_even)
        self.theta, self.v0 = np.zeros(len(lines), np.int64), np.zeros(len(lines), np.int64)
        self.shift, self.grid = np.full(len(lines), -1), np.zeros(layer.max() + 1, np.int64)

    @property
    def solved(self) -> Array:
        return self.shift >= 0

    def run(self, rows: Array) -> None:
        """Gives every layer of these channels its grid: the smallest on which all have a pair, or else the finest.

        What is exact on a grid is exact on every finer one, unless a limit keeps it from there: such channels are
        looked for on coarser grids.
        """
        layer = self.layer
        following = np.zeros_like(self.grid)
        while len(left := self._open(rows[following[layer[rows]] <= self.limits.shift])):
            np.maximum.at(following, layer[left], self.cuts.finest(left, self.limits.shift))
            self._on_grid(left, following[layer[left]])
            following[np.unique(layer[left])] += 1
        for coarser in range(int(following.max())):
            if not len(left := self._open(rows[following[layer[rows]] > coarser])):
                break
            self._on_grid(left, np.full(len(left), coarser))
        np.maximum.at(self.grid, layer[rows], self.shift[rows])
        self._settle(rows)

    def _settle(self, rows: Array) -> None:
        """Moves every channel to the grid of its layer; what has no exact pair there is rounded."""
        without = np.unique(self.layer[rows[~self.solved[rows]]])
        for layer in without:
            self.grid[layer] = _largest_grid(self.lines.theta[self.layer == layer].max(), self.limits)
        grid = self.grid[self.layer]
        self.shift[rows[self.shift[rows] != grid[rows]]] = -1
        left = self._open(rows)
        self._on_grid(left, grid[left])
        rest = rows[~self.solved[rows]]
        wish, every = self.lines.theta[rest] * 2.0 ** grid[rest], np.full(len(rest), MOST_THETA)
        self.theta[rest], _ = self.limits.nearest(wish, np.ones_like(every), every)
        self.v0[rest] = np.rint(self.lines.v0[rest] * 2.0 ** grid[rest]).astype(np.int64)

    def take(self, other: _Search, rows: Array) -> None:
        """Has the pairs of another search for some channels, all of their layers."""
        for name in ("theta", "v0", "shift"):
            getattr(self, name)[rows] = getattr(other, name)[rows]
        self.grid[self.layer[rows]] = other.grid[self.layer[rows]]

    def _open(self, rows: Array) -> Array:
        """Those of the channels without a pair that may have one."""
        rows = rows[~self.solved[rows]]
        return rows[~self.cuts.hopeless(rows)]

    def _on_grid(self, rows: Array, shift: Array) -> None:
        """The exact theta nearest to the real one, row by row: candidates until one is exact or none is left."""
        wish = self.lines.theta[rows] * 2.0**shift
        may = (wish <= min(self.limits.theta, MOST_THETA) + 1) & self.lines.fits(rows, shift)
        rows, shift, wish = rows[may], shift[may], wish[may]
        while len(rows):
            theta, there = self.limits.nearest(wish, *self.cuts.ends(rows, shift))
            x = (theta - (self.lines.step[rows] << shift)) * 2.0**-shift
            there &= self.lines.decides(rows, x, shift)
            rows, shift, wish, theta, x = (a[there] for a in (rows, shift, wish, theta, x))
            good, v0 = self.cuts.try_out(rows, x, shift)
            done = rows[good]
            self.theta[done], self.v0[done], self.shift[done] = theta[good], v0[good], shift[good]
            rows, shift, wish = (a[~good] for a in (rows, shift, wish))


def _largest_grid(theta: float, limits: Limits) -> int:
    """The finest useful grid whose rounded thresholds, the largest of which is `theta`, still fit."""
    return max((s for s in range(min(limits.shift, 16) + 1) if theta * (1 << s) <= limits.theta), default=0)
