"""Where a piecewise constant function jumps, to the last bit of float64, by bisection of all intervals at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnx2snn.ir import Array, Shape

Function = Callable[[Array], Array]  #: (points, *parameters) -> the same shape, entry by entry
Doubt = Literal["continuous", "endless", "undefined", "uneven"]

FAR = 40  #: saturation is searched up to 2^40; much further out |x| - |x - 1| loses its last bits
NEAR_ZERO = 40  #: and structure down to 2^-40, below which only zero itself is looked at
AN_OCTAVE = 8  #: points of the first grid between one power of two and the next
HALVINGS = 70  #: from an eighth of an octave to neighbouring numbers, from 2^-40 to 2^-110
JUST_ABOVE = 2.0**-100  #: a jump this near above zero excludes nothing but zero
MOST_JUMPS = (1 << 16) + 1  #: of one row, of quantisers of 16 bits and one
MOST_ENTRIES = 1 << 22  #: of all rows together
NOISE = 2.0**-40  #: of the largest value: what arithmetic leaves between equal values
ROUNDS = 3  #: of looking for bumps that the grid before has missed


@dataclass(frozen=True)
class Jumps:
    """A piecewise constant function: y = values[k] from places[k - 1] on, up to places[k].

    places: (K, *rows), ascending, each the least number with the value behind it.  values: (K + 1, *rows).
    """

    places: Array
    values: Array


@dataclass(frozen=True)
class Unclear:
    """Why a function is no staircase.

    kind: continuous; endless: it never saturates; undefined: not a number somewhere; uneven: rows jump unequally often.
    """

    kind: Doubt
    reason: str


def find_jumps(function: Function, rows: Shape) -> Jumps | Unclear:
    """All jumps of a function of one number, for each of `rows` rows of parameters."""
    grid = _first_grid()
    for _ in range(ROUNDS):
        found = _between(function, grid, rows)
        if isinstance(found, Unclear):
            return found
        missed = _contradictions(function, found, rows)
        if not missed.size:
            return found
        grid = np.unique(np.concatenate([grid, missed]))
    return Unclear("continuous", "between its jumps it is not constant")


def _first_grid() -> Array:
    sizes = 2.0 ** (np.arange(-NEAR_ZERO * AN_OCTAVE, FAR * AN_OCTAVE + 1) / AN_OCTAVE)
    return np.concatenate([-sizes[::-1], [0.0], sizes])


def _between(function: Function, grid: Array, rows: Shape) -> Jumps | Unclear:
    points = np.broadcast_to(grid.reshape(-1, *(1,) * len(rows)), (len(grid), *rows))
    values = function(points)
    if np.isnan(values).any():
        where = points[np.isnan(values)][0]
        return Unclear("undefined", f"it is not a number at x = {where:.6g}")
    for sign, ends in (("-", values[: AN_OCTAVE + 1]), ("", values[-AN_OCTAVE - 1 :])):
        if not np.isfinite(ends).all() or np.ptp(ends, axis=0).any():
            return Unclear("endless", f"it still changes at x = {sign}2^{FAR}")
    return _bisected(function, points, values)


def _bisected(function: Function, points: Array, values: Array) -> Jumps | Unclear:
    noise = NOISE * np.abs(values).max(axis=0)
    most = min(MOST_JUMPS, MOST_ENTRIES // max(1, values[0].size))
    low, high, before, after = _kept(points[:-1], points[1:], values[:-1], values[1:], noise)
    for _ in range(HALVINGS):
        if len(low) > most:
            return Unclear("continuous", f"it has more than {most} values")
        middle = low + (high - low) / 2
        value = function(middle)
        halves = (low, middle), (middle, high), (before, value), (value, after)
        ends = [np.concatenate(pair) for pair in halves]
        low, high, before, after = _kept(ends[0], ends[1], ends[2], ends[3], noise)
    if not len(low):
        return Jumps(high, values[:1])
    if np.isnan(high).any():
        return Unclear("uneven", "rows of parameters make different numbers of steps")
    high = np.where((high > 0) & (high < JUST_ABOVE), np.nextafter(0.0, 1.0), high)
    order = np.argsort(high, axis=0, kind="stable")
    places, upper = np.take_along_axis(high, order, 0), np.take_along_axis(after, order, 0)
    return Jumps(places, np.concatenate([values[:1], upper]))


def _kept(low: Array, high: Array, before: Array, after: Array, noise: Array) -> tuple[Array, Array, Array, Array]:
    """The intervals in which the function changes, first in each row; rows that have fewer are filled with NaN."""
    changes = (np.abs(after - before) > noise) & (low < high)
    most = int(np.max(np.count_nonzero(changes, axis=0), initial=0))
    order = np.argsort(~changes, axis=0, kind="stable")[:most]
    real = np.take_along_axis(changes, order, 0)

    def kept(array: Array) -> Array:
        return np.where(real, np.take_along_axis(array, order, 0), np.nan)

    return kept(low), kept(high), kept(before), kept(after)


def _contradictions(function: Function, found: Jumps, rows: Shape) -> Array:
    """Points on a dense grid at which the function differs from what was found."""
    if not len(found.places):
        return np.zeros(0)
    first, last = found.places[0], found.places[-1]
    reach = np.maximum(last - first, np.maximum(np.abs(first), np.abs(last)))
    ends = np.stack([first - reach, *found.places, last + reach])
    inside = [ends[:-1] + (ends[1:] - ends[:-1]) * part for part in (0.19, 0.5, 0.83)]
    even = first - reach + (last - first + 2 * reach) * np.linspace(0, 1, 1021).reshape(-1, *(1,) * len(rows))
    points = np.concatenate([*inside, even])
    passed = _passed(found.places, points)
    expected = np.take_along_axis(found.values, passed, 0)
    wrong = np.abs(function(points) - expected) > NOISE * np.abs(found.values).max(axis=0)
    return np.unique(points[wrong])


def _passed(places: Array, points: Array) -> Array:
    """How many places each point has reached, row by row."""
    flat, at = places.reshape(len(places), -1), points.reshape(len(points), -1)
    counts = [np.searchsorted(flat[:, i], at[:, i], "right") for i in range(flat.shape[1])]
    return np.stack(counts, axis=1).reshape(points.shape)
