"""Do two integrate-and-fire neurons spike alike at every step, one in real numbers and one in whole ones?

What a neuron with soft reset does at step t depends on three numbers alone: the accumulator a that has arrived so far,
its bias t b and how often it has fired. Its k-th spike comes at the first step with unit a + v0 + t b >= k theta, that
is with a >= ceil((k theta - v0 - t b) / unit). Two neurons for which these whole numbers agree for every k <= t <= T
spike alike in every step of every run of T steps, whatever arrives when. All of it is decided in exact arithmetic.

One that resets to zero begins anew at each spike: it fires n steps later, or n steps after the start, at the first n
with unit a + n b >= theta, or unit a + v0 + n b >= theta, where a is what has arrived since. These two numbers are
compared for every n <= T.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

from onnx2snn.ir import Array
from onnx2snn.ir.ops import Reset

MOST_CASES = 1 << 22  #: comparisons; beyond them nothing is said


@dataclass(frozen=True)
class Steady:
    """A soft-reset neuron over a lattice: arrays of one entry a channel, float64 or int64, exact as they stand.

    unit: what one of the accumulator is worth.  theta, v0, bias: in the same measure, bias that of one step.
    """

    unit: Array
    theta: Array
    v0: Array
    bias: Array


def spike_alike(real: Steady, whole: Steady, low: Array, high: Array, steps: int, reset: Reset = "subtract") -> Array:
    """Of each channel, how many of the first `steps` thresholds are the same number at every step; int64 (channels,).

    Of neurons that reset to zero: after how many of the first `steps` numbers of steps the threshold is the same.
    low, high: what the accumulator can be, int64 (channels,); what lies beyond is never reached.
    A channel that there are too many cases for has none.
    """
    columns = np.stack([*map(_column, (real.unit, real.theta, real.v0, real.bias)), whole.unit, whole.theta])
    columns = np.concatenate([columns, np.stack([whole.v0, whole.bias, low, high])])
    kinds, inverse = np.unique(columns, axis=1, return_inverse=True)
    biased = bool(np.any(kinds[3]) or np.any(kinds[7]))
    if kinds.shape[1] * steps * (steps if biased else 1) > MOST_CASES:
        return np.zeros(columns.shape[1], np.int64)
    agreeing = _agreeing if reset == "subtract" else _agreeing_anew
    found = [agreeing(column, steps, biased) for column in kinds.T]
    return np.array(found, np.int64)[inverse.reshape(-1)]


def _column(values: Array) -> Array:
    return np.asarray(values, np.float64)


def _neurons(column: Array) -> tuple[tuple[int, ...], tuple[int, ...], int, int]:
    """Both neurons in whole numbers, and the ends of the accumulator."""
    numbers = [Fraction(float(n)) for n in column]
    (unit, theta, v0, bias), (whole, *rest) = numbers[:4], numbers[4:8]
    one, other = whole_multiples(unit, theta, v0, bias), whole_multiples(whole, *rest)
    return one, other, int(numbers[8]), int(numbers[9])


def _agreeing_anew(column: Array, steps: int, biased: bool) -> int:
    one, other, low, high = _neurons(column)
    spans = range(1, steps + 1) if biased else (steps,)
    pairs = [(one, other), (_at_zero(one), _at_zero(other))]
    alike = 0
    for n in spans:
        alike += all(exact_place(a, 1, n, low, high) == exact_place(b, 1, n, low, high) for a, b in pairs)
    return alike if biased else alike * steps


def _at_zero(neuron: tuple[int, ...]) -> tuple[int, ...]:
    """The neuron after a reset to zero."""
    unit, theta, _, bias = neuron
    return unit, theta, 0, bias


def _agreeing(column: Array, steps: int, biased: bool) -> int:
    one, other, low, high = _neurons(column)
    agreeing = 0
    for k in range(1, steps + 1):
        ticks = range(k, steps + 1) if biased else (steps,)
        agreeing += all(exact_place(one, k, t, low, high) == exact_place(other, k, t, low, high) for t in ticks)
    return agreeing


def whole_multiples(*numbers: Fraction) -> tuple[int, ...]:
    """The numbers as multiples of one fraction."""
    common = lcm(*(n.denominator for n in numbers))
    return tuple(int(n * common) for n in numbers)


def exact_place(neuron: tuple[int, ...], k: int, t: int, low: int, high: int) -> int:
    """The accumulator from which spike k has come at step t, cut to what is reachable."""
    unit, theta, v0, bias = neuron
    return min(max(-((v0 + t * bias - k * theta) // unit), low), high + 1)
