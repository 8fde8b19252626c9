"""Which staircase is a function? Found by asking it, not by recognising how it is spelled.

Breakpoints come from bisection in float64 (see `jumps`); numbers that agree to 1e-12 with one another or with a
float32 take that value, so that a quantiser comes out with the very numbers of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnx2snn.analysis.jumps import Function, Jumps, Unclear, find_jumps
from onnx2snn.analysis.lattice import shrink
from onnx2snn.ir import Array, Shape

EVEN_STEPS = 1e-9  #: of a step: steps that differ less are equal
SNAP = 1e-12  #: relative: nearer than this a number is its rounder neighbour

TieRule = Literal["up", "down", "even"]


@dataclass(frozen=True)
class Uniform:
    """y = base + step n, n = clip(round((x - offset) / width), lo, hi): equal steps.

    step (of either sign), width (> 0), offset, base: float64, as small as they broadcast to the rows.
    ties: what becomes of a tie between two counts.  C: lo <= 0 < hi; base is zero where zero is one of the values.
    """

    step: Array
    width: Array
    offset: Array
    base: Array
    lo: int
    hi: int
    ties: TieRule


@dataclass(frozen=True)
class OwnSteps:
    """y = base + sum_k heights[k] [x >= breakpoints[k]]: see `onnx2snn.ir.ops.Steps`; breakpoints (K, *rows)."""

    breakpoints: Array
    heights: Array
    base: float


@dataclass(frozen=True)
class Constant:
    """y = value, whatever x is."""

    value: Array


Found = Uniform | OwnSteps | Constant | Unclear


def probe(function: Function, rows: Shape = ()) -> Found:
    """What a function of one number is.

    function: x (points, *rows) float64 -> the same shape, entry by entry; each of `rows` has its own parameters.
    """
    with np.errstate(all="ignore"):
        jumps = find_jumps(function, rows)
        if isinstance(jumps, Unclear):
            return jumps
        if not len(jumps.places):
            return Constant(shrink(jumps.values[0]))
        return _uniform(function, jumps) or own_steps(jumps)


def own_steps(jumps: Jumps) -> OwnSteps | Unclear:
    """The jumps as steps whose heights all rows share."""
    heights = np.diff(jumps.values, axis=0)
    size = np.abs(jumps.values).max()
    flat, base = heights.reshape(len(heights), -1), jumps.values[0].reshape(-1)
    if np.ptp(flat, axis=1).max() > EVEN_STEPS * size or np.ptp(base) > EVEN_STEPS * size:
        return Unclear("uneven", "rows of parameters make steps of different heights")
    return OwnSteps(_one_row(jumps.places), _equalised(flat[:, 0]), float(base[0]) + 0.0)


def _one_row(places: Array) -> Array:
    """One row for all where all rows are equal; the first axis stays."""
    for axis in range(1, places.ndim):
        if places.shape[axis] > 1 and not np.ptp(places, axis=axis).any():
            places = places.take([0], axis=axis)
    return places.reshape(len(places)) if places[0].size == 1 else places


def _equalised(heights: Array) -> Array:
    """Heights that agree but for rounding become equal."""
    result = heights.copy()
    for k in range(len(result)):
        same = np.abs(result[:k] - result[k]) <= SNAP * np.abs(result[k])
        if same.any():
            result[k] = result[np.argmax(same)]
    return result


def _uniform(function: Function, jumps: Jumps) -> Uniform | None:
    places, values = jumps.places, jumps.values
    heights = np.diff(values, axis=0)
    count, sizes = len(places), np.abs(heights)
    if (np.abs(heights - heights[:1]) > EVEN_STEPS * sizes[:1]).any():
        return None
    largest = np.abs(places).max(axis=0)
    width = (places[-1] - places[0]) / (count - 1) if count > 1 else sizes[0]
    ideal = places[0] + np.arange(count).reshape(-1, *(1,) * (places.ndim - 1)) * width
    slack = EVEN_STEPS * width + 2.0**-50 * largest
    if (width <= 2.0**-45 * largest).any() or (np.abs(places - ideal) > slack).any() or (width < 1e-300).any():
        return None
    zero = _zero_level(values, sizes[0])
    step = heights[0] if zero is None else values[zero + 1]
    near = SNAP * np.abs(step) + 2.0**-50 * largest / max(1, count - 1)
    width = _snapped(_snapped(width, width.astype(np.float32), near), np.abs(step), near)
    if zero is not None:
        return _placed(function, jumps, zero, step, width)
    found = _placed(function, jumps, 0, step, width)
    other = _placed(function, jumps, 1, step, width) if count > 1 else found
    return other if other.ties == "even" else found


def _placed(function: Function, jumps: Jumps, zero: int, step: Array, width: Array) -> Uniform:
    """The staircase whose count zero is level `zero`; which levels are even decides how it takes ties."""
    counts = np.arange(len(jumps.places)).reshape(-1, *(1,) * (jumps.places.ndim - 1)) + 1 - zero
    offset = _offset(jumps.places, counts, width)
    base = jumps.values[zero] * (np.abs(jumps.values[zero]) > EVEN_STEPS * np.abs(step))
    ties = _tie_rule(function, jumps, offset + (counts - 0.5) * width, counts)
    step, width, offset, base = (shrink(np.asarray(a + 0.0)) for a in (step, width, offset, base))
    return Uniform(step, width, offset, base, -zero, len(jumps.places) - zero, ties)


def _zero_level(values: Array, size: Array) -> int | None:
    """The index of the level that is zero in all rows, if there is one that a step follows."""
    largest = (np.abs(values) / size).reshape(len(values), -1).max(axis=1)
    least = int(np.argmin(largest[:-1]))
    return least if largest[least] <= EVEN_STEPS else None


def _snapped(value: Array, rounder: Array, tolerance: Array) -> Array:
    return np.where(np.abs(value - rounder) <= tolerance, rounder, value)


def _offset(places: Array, counts: Array, width: Array) -> Array:
    """Where count zero is centred: the mean over all steps, half steps and float32 numbers where it is one."""
    offset = (places - (counts - 0.5) * width).mean(axis=0)
    near = SNAP * width + 2.0**-48 * np.abs(places).max(axis=0)
    offset = _snapped(offset, offset.astype(np.float32), near)
    return _snapped(offset, np.rint(2 * offset / width) * width / 2, near)


def _tie_rule(function: Function, jumps: Jumps, ties: Array, counts: Array) -> TieRule:
    """The rule that most ties follow; where arithmetic hides them from float64 it does not matter which."""
    nearer_upper = np.abs(function(ties) - jumps.values[1:]) < np.abs(function(ties) - jumps.values[:-1])
    patterns: dict[TieRule, Array] = {"even": counts % 2 == 0, "up": counts < np.inf, "down": counts > np.inf}
    return max(patterns, key=lambda rule: int((nearer_upper == patterns[rule]).sum()))
