"""Threshold, initial membrane and bias of a whole-number neuron that is to spike at given steps: solved for.

Spike k of a real neuron has come at step t where its accumulator is at least A(k, t) (see `timing`). On a grid of F
fractional bits, whole numbers (theta, v0, b) do the same if and only if

    (A(k, t) - 1) 2^F < k theta - v0 - t b <= A(k, t) 2^F       for every k <= t <= T,

where what is always or never reached asks for one side alone. For a theta and a b that is an interval for v0 for each
k; the v0 that lies in most of them keeps the most spikes at their steps. Thetas and b near the real ones are tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from onnx2snn.analysis.timing import MOST_CASES, Steady, exact_place, whole_multiples
from onnx2snn.ir import Array

NEAR_THETA = (0, 1, -1, 2, -2, 3, -3)  #: beside the rounded one, the nearest first
NEAR_BIAS = (0, 1, -1, 2, -2)
FREE = 1 << 60  #: an end of an interval that there is not
MOST_BITS = 58  #: of what the grid makes of an accumulator


@dataclass(frozen=True)
class Timetable:
    """When every spike of every kind of channel comes, (kinds, T, ticks), in exact arithmetic.

    real: the kinds.  low, high: what their accumulators can be, (kinds,).  ticks: the steps that are looked at, all or,
    without a bias, the last alone.  inverse: the kind of each channel.
    """

    real: Steady
    low: Array
    high: Array
    ticks: Array
    places: Array
    inverse: Array

    @staticmethod
    def of(real: Steady, low: Array, high: Array, steps: int) -> Timetable | None:
        """The timetable of all channels in a run of so many steps; None where there are too many cases."""
        columns = np.stack([real.unit, real.theta, real.v0, real.bias]).astype(np.float64)
        kinds, inverse = np.unique(np.concatenate([columns, np.stack([low, high])]), axis=1, return_inverse=True)
        biased = bool(kinds[3].any())
        ticks = np.arange(1, steps + 1) if biased else np.array([steps])
        if kinds.shape[1] * steps * len(ticks) > MOST_CASES:
            return None
        least, most = kinds[4].astype(np.int64), kinds[5].astype(np.int64)
        rows = [_places(kind[:4], int(kind[4]), int(kind[5]), ticks) for kind in kinds.T]
        places = np.array(rows, np.int64).reshape(-1, steps, len(ticks))
        kind = Steady(kinds[0], kinds[1], kinds[2], kinds[3])
        return Timetable(kind, least, most, ticks, places, inverse.reshape(-1))

    @property
    def thresholds(self) -> int:
        """How many there are, of all channels."""
        return self.inverse.size * self.places.shape[1]

    def solve(self, shift: int) -> tuple[Steady, int] | None:
        """On a grid, what keeps most spikes at their steps, for each channel, and how many thresholds that are in all.

        None where the accumulator does not fit the grid. What nothing is gained by stays rounded.
        """
        largest = int(max(np.abs(self.low).max(), np.abs(self.high).max())) + 1
        if largest.bit_length() + shift > MOST_BITS:
            return None
        grid = (1 << shift) / self.real.unit
        theta, v0, bias = (np.rint(a * grid).astype(np.int64) for a in (self.real.theta, self.real.v0, self.real.bias))
        best, kept = np.full(theta.shape, -1), np.stack([theta, v0, bias])
        for near in NEAR_BIAS if bias.any() or self.real.bias.any() else (0,):
            least, most = self._ends(bias + near, shift)
            for other in NEAR_THETA:
                starts, alike = _start(theta + other, v0, least, most)
                better = (alike > best) & (theta + other > 0)
                best = np.where(better, alike, best)
                kept[:, better] = np.stack([theta + other, starts, bias + near])[:, better]
            if (best == self.places.shape[1]).all():
                break
        found = (row[self.inverse] for row in (np.full(theta.shape, 1 << shift), *kept))
        return Steady(*found), int(np.maximum(best, 0)[self.inverse].sum())

    def _ends(self, bias: Array, shift: int) -> tuple[Array, Array]:
        """The least (exclusive) and most of k theta - v0, (kinds, T) each."""
        counts = np.arange(1, int(self.places.shape[1]) + 1)
        looked = self.ticks >= counts[:, None] if len(self.ticks) > 1 else np.ones((len(counts), 1), bool)
        low, high = self.low[:, None, None], self.high[:, None, None]
        drift = self.ticks * bias[:, None, None]
        least = np.where(looked & (self.places > low), ((self.places - 1) << shift) + drift, -FREE)
        most = np.where(looked & (self.places <= high), (self.places << shift) + drift, FREE)
        return least.max(axis=2), most.min(axis=2)


def _start(theta: Array, wish: Array, least: Array, most: Array) -> tuple[Array, Array]:
    """The v0 of each kind that lies in most of the intervals, the wished one where none is better, and in how many.

    One that starts between rest and threshold goes on doing so.
    """
    reached = theta[:, None] * np.arange(1, int(least.shape[1]) + 1)
    first, last = reached - most, reached - least - 1
    first, last = (np.where(first <= last, ends, 2 * FREE) for ends in (first, last))  # an empty one lies nowhere
    tried = np.concatenate([wish[:, None], first, last], axis=1)
    alike = _before(first, tried, equal=True) - _before(last, tried, equal=False)
    bound = (wish >= 0) & (wish < theta)
    out = bound[:, None] & ((tried < 0) | (tried >= theta[:, None])) | (np.abs(tried) > FREE >> 1)
    alike = np.where(out, -1, alike)
    chosen = alike.argmax(axis=1)[:, None]
    return np.take_along_axis(tried, chosen, 1)[:, 0], np.take_along_axis(alike, chosen, 1)[:, 0]


def _before(ends: Array, tried: Array, equal: bool) -> Array:
    """Of each number that is tried, how many ends in its row are below it, or equal where that counts."""
    parts = (ends, tried) if equal else (tried, ends)  # a stable sort leaves equal numbers in this order
    order = np.argsort(np.concatenate(parts, axis=1), axis=1, kind="stable")
    start = ends.shape[1] if equal else 0
    is_end = (order < start) if equal else (order >= tried.shape[1])
    counts = np.empty_like(order)
    np.put_along_axis(counts, order, is_end.cumsum(axis=1), axis=1)
    return counts[:, start : start + tried.shape[1]]


def _places(column: Array, low: int, high: int, ticks: Array) -> list[list[int]]:
    """A(k, t) of one kind; before step k there is no spike k, and nothing is asked."""
    whole = whole_multiples(*(Fraction(float(n)) for n in column))
    steps = int(ticks[-1])
    return [[exact_place(whole, k, int(t), int(low), int(high)) for t in ticks] for k in range(1, steps + 1)]
