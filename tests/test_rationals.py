"""Exact quotients of float64 numbers against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from onnx2snn.analysis.rationals import least_whole

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
