"""Breakpoints: the accumulator values at which a staircase climbs, in exact arithmetic.

For a value z = unit * a + offset with whole a, step k of the staircase is reached from a = b_k on:
n(a) >= k  <=>  a >= b_k.  Rounding half to even takes a tie (k - 1/2) upward only for even k.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnx2snn.analysis.rationals import least_whole
from onnx2snn.analysis.rows import Distinct, distinct
from onnx2snn.ir import Array
from onnx2snn.ir.ops import Rounding

DOUBT = (
    2.0**-48
)  #: nearer than this, of the size of its terms, to a whole number, float64 does not decide: 16 roundings
CACHED = 1 << 14  #: breakpoints that are worked on at once


@dataclass(frozen=True)
class Climb:
    """A staircase over a lattice, channel by channel; all arrays flat (channels,).

    unit, offset, scale: float64, the numbers themselves count as exact.  low, high: int64 range of the accumulator.
    """

    unit: Array
    offset: Array
    scale: Array
    low: Array
    high: Array
    lo: int
    hi: int
    rounding: Rounding

    @classmethod
    def joined(cls, climbs: Sequence[Climb]) -> Climb:
        """The channels of several staircases of the same counts and rounding as one."""
        names = ("unit", "offset", "scale", "low", "high")
        return replace(climbs[0], **{name: np.concatenate([getattr(c, name) for c in climbs]) for name in names})

    def split(self, channels: int) -> Iterator[Climb]:
        """The staircase in parts of so many channels; one without any where there are none."""
        for start in range(0, max(1, len(self.unit)), channels):
            part = slice(start, start + channels)
            arrays = {name: getattr(self, name)[part] for name in ("unit", "offset", "scale", "low", "high")}
            yield replace(self, **arrays)

    def kinds(self) -> Distinct:
        """Channels that climb alike."""
        return distinct(self.unit, self.offset, self.scale, self.low, self.high)

    def taken(self, channels: Array) -> Climb:
        """Some of its channels."""
        names = ("unit", "offset", "scale", "low", "high")
        return replace(self, **{name: getattr(self, name)[channels] for name in names})

    def parts(self) -> Iterator[Climb]:
        """The staircase in parts whose breakpoints stay in the processor's cache."""
        return self.split(max(1, CACHED // (self.hi - self.lo)))

    def breakpoints(self) -> Array:
        """b_k for k = lo + 1 ... hi, int64 (channels, hi - lo)."""
        found = [breakpoints(p.unit, p.offset, p.scale, p.lo, p.hi, p.rounding) for p in self.parts()]
        return found[0] if len(found) == 1 else np.concatenate(found)


def breakpoints(
    unit: Array,
    offset: Array,
    scale: Array,
    lo: int,
    hi: int,
    rounding: Rounding,
    beside: tuple[Array, Array] | None = None,
) -> Array:
    """The least whole a with clip(round((unit a + offset) / scale), lo, hi) >= k, for k = lo + 1 ... hi.

    beside: the units and the counts (channels,) of another branch, whose products add to the offset.
    unit > 0, offset, scale > 0: float64 (channels,). Returns int64 (channels, hi - lo). Decided in float64 where
    that is safe and in rational arithmetic where it is near a tie.
    """
    counts = np.arange(lo + 1, hi + 1)
    other, count = beside or (np.zeros_like(unit), np.zeros(unit.shape, np.int64))
    step, constant = scale / unit, (offset + other * count) / unit
    place = (counts - 0.5) * step[:, None] - constant[:, None]
    if np.abs(place[:, [0, -1]]).max(initial=0) > 2**52:
        raise OverflowError("breakpoints beyond 2^52")
    terms = (np.abs(offset) + np.abs(other * count)) / unit + step * max(abs(lo), abs(hi))
    margin = DOUBT * (1.0 + terms)
    above = np.ceil(place)
    result = above.astype(np.int64)
    above -= place
    near = np.abs(above - 0.5, out=above) > (0.5 - margin)[:, None]
    rows, columns = np.divmod(np.flatnonzero(near), len(counts))
    if len(rows):
        several = np.broadcast_to(count, unit.shape)[rows]
        result[rows, columns] = single_breakpoints(
            unit[rows], offset[rows], scale[rows], other[rows], several, counts[columns], rounding
        )
    return result


def single_breakpoints(
    unit: Array, offset: Array, scale: Array, other: Array, count: Array, k: Array, rounding: Rounding
) -> Array:
    """The least whole a with round((unit a + offset + other count) / scale) >= k, in exact arithmetic; all (n,)."""
    twice = np.stack([2 * k - 1, np.full_like(k, -2), -2 * count])
    least, tie = least_whole(np.stack([scale, offset, other]), twice, 2 * unit)
    return least + ((k % 2 == 1) & tie) if rounding == "half-even" else least


def table_breakpoints(theta: Array, v0: Array, gain: Array, lo: int, hi: int, ties_even: bool) -> Array:
    """The accumulator values at which an integer neuron (theta, v0, gain a) climbs; int64 (channels, hi - lo).

    n >= k  <=>  gain a + v0 >= k theta, or > for odd k where ties go to the even count. v0 includes the bias.
    All arrays (channels,), gain >= 1.
    """
    counts = np.arange(lo + 1, hi + 1)
    need = v0[:, None] - counts * theta[:, None]
    if ties_even:
        need -= counts % 2 == 1
    bits = np.frexp(gain.astype(np.float64))[1] - 1
    if (gain == 1 << bits.astype(np.int64)).all():
        need >>= bits[:, None]
    else:
        need //= gain[:, None]
    return np.negative(need, out=need)


def surely_alike(climb: Climb, theta: Array, v0: Array, gain: Array, ties_even: bool) -> Array:
    """In which channels float64 proves all breakpoints of a staircase to be those of `table_breakpoints`; (channels,).

    The table's t_k is the least whole number from the real place x_k on where 0 <= t_k - x_k < 1.
    """
    counts = np.arange(climb.lo + 1, climb.hi + 1, dtype=np.float64)[:, None]
    step, constant = climb.scale / climb.unit, climb.offset / climb.unit
    slope, start = theta / gain, v0 / gain
    largest = max(abs(climb.lo), abs(climb.hi))
    doubt = DOUBT * (1.0 + np.abs(constant) + step * largest)
    exact = (np.frexp(gain.astype(np.float64))[0] == 0.5) & (np.abs(v0) + (theta + 1) * largest < 2**53)
    least, most = np.empty((2, len(step)))
    several = max(1, 2 * CACHED // len(counts))
    for part in (slice(first, first + several) for first in range(0, len(step), several)):
        ahead = counts * slope[part]
        ahead -= start[part]
        if ties_even:
            ahead += counts % 2 / gain[part]
        np.ceil(ahead, out=ahead)
        place = (counts - 0.5) * step[part]
        place -= constant[part]
        ahead -= place
        least[part], most[part] = ahead.min(axis=0), ahead.max(axis=0)
    return exact & (least > doubt) & (most < 1 - doubt)


def count_error(truth: Array, table: Array, low: Array, high: Array) -> int:
    """The largest difference in counts between two sets of breakpoints over accumulators in [low, high]."""
    worst = 0
    for row in np.unique(np.flatnonzero(truth != table) // truth.shape[1]):
        places = np.unique(np.concatenate([truth[row], table[row], [low[row]]]))
        places = places[(places >= low[row]) & (places <= high[row])]
        difference = np.searchsorted(truth[row], places, "right") - np.searchsorted(table[row], places, "right")
        worst = max(worst, int(np.abs(difference).max(initial=0)))
    return worst


def proven(truth: Array, table: Array, low: Array, high: Array) -> Array:
    """Which breakpoints agree, bool like them: equal, or both never or both always passed within [low, high]."""
    same = truth == table
    if same.all():
        return same
    floor, ceiling = low[:, None], high[:, None] + 1
    return np.clip(truth, floor, ceiling) == np.clip(table, floor, ceiling)
