"""Exact quotients of float64 numbers against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from onnx2snn.analysis.rationals import least_whole, nearest_fractions, small_ratios

small = st.builds(lambda m, e: m / 2.0**e, st.integers(-64, 64), st.integers(-4, 8))
numbers = small | st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([2.0**-40, 2.0**60, 3 * 2.0**-70])
divisors = numbers.map(abs).filter(lambda x: x > 1e-9)


@given(st.lists(st.tuples(numbers, numbers, divisors, st.integers(-511, 511)), min_size=1, max_size=5))
@example([(1.0, 0.5, 0.75, 3), (0.1, 0.1, 0.3, 2)])
@example([(2.0**52 + 1, -(2.0**52), 1.0, 511)])
def test_the_least_whole_number_above_a_quotient(columns: list[tuple[float, float, float, int]]) -> None:
    a, b, divisor, factor = (np.array(column) for column in zip(*columns, strict=True))
    factors = np.stack([factor, np.full_like(factor, -2)])
    exact = [(Fraction(x) * f - 2 * Fraction(y)) / Fraction(d) for x, y, d, f in columns]
    if any(abs(q) > 2**60 for q in exact):
        return
    least, equal = least_whole(np.stack([a, b]), factors, divisor)
    assert least.tolist() == [ceil(q) for q in exact]
    assert equal.tolist() == [q.denominator == 1 for q in exact]


positive = st.floats(1e-7, 1e7) | st.builds(lambda a, b: a / b, st.integers(1, 5000), st.integers(1, 5000))


@given(st.lists(positive, min_size=1, max_size=5), st.sampled_from([1, 7, 16, 4096, 1 << 16, 1 << 28]))
@example([0.5, 3.0, 2.0**-30, 1 / 3], 16)
def test_nearest_fractions(values: list[float], limit: int) -> None:
    numerators, denominators = nearest_fractions(np.array(values), limit)
    found = [Fraction(int(n), int(d)) for n, d in zip(numerators, denominators, strict=True)]
    for x, near in zip(values, found, strict=True):
        best = Fraction(x).limit_denominator(limit)
        assert near.denominator <= limit
        assert abs(near - Fraction(x)) <= abs(best - Fraction(x))
    assert denominators.tolist() == [f.denominator for f in found], "in lowest terms"


@given(st.lists(st.tuples(positive, st.integers(1, 70), st.integers(1, 70), st.booleans()), min_size=1, max_size=4))
def test_small_ratios(rows: list[tuple[float, int, int, bool]]) -> None:
    """Against rational numbers: multiples of one unit, some of them a last bit off."""
    first = np.array([unit * m for unit, m, _, _ in rows])
    second = np.array([np.nextafter(unit * m, 1e9) if off else unit * m for unit, _, m, off in rows])
    ratios = [Fraction(b) / Fraction(a) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    found = small_ratios(first, second, 64)
    if any(max(r.as_integer_ratio()) > 64 for r in ratios):
        assert found is None
        return
    assert found is not None
    assert [Fraction(int(b), int(a)) for a, b in zip(*found, strict=True)] == ratios
