"""Fractions that wrap around against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.analysis.turns import extremes, resolution

rise = st.floats(0, 8) | st.integers(0, 64).map(lambda n: n / 16)
number = st.floats(-8, 8) | st.integers(-64, 64).map(lambda n: n / 16)


@given(st.lists(st.tuples(number, rise), min_size=1, max_size=3), st.integers(1, 40), st.integers(1, 9))
def test_the_extremes_of_segments(lines: list[tuple[float, float]], count: int, size: int) -> None:
    start, slope = np.array(lines).T
    found = extremes(start, slope, count, size)
    for row, (first, rise) in enumerate(lines):
        for segment, begin in enumerate(range(0, count, size)):
            ks = range(begin, min(begin + size, count))
            exact = {k: (Fraction(first) + k * Fraction(rise)) % 1 for k in ks}
            most, least, k_most, k_least = (a[row, segment] for a in found)
            assert k_most in ks
            assert k_least in ks
            near = [k for k in ks if min(exact[k], 1 - exact[k]) < resolution(count)]
            if not near:
                assert abs(exact[k_most] - Fraction(float(most))) <= resolution(count)
                assert abs(exact[k_least] - Fraction(float(least))) <= resolution(count)
                assert max(exact.values()) - exact[k_most] <= resolution(count)
                assert exact[k_least] - min(exact.values()) <= resolution(count)


def test_many_counts_keep_their_index() -> None:
    most, least, k_most, k_least = extremes(np.array([0.25]), np.array([2.0**-18]), 1 << 16, 1 << 14)
    assert k_most.tolist() == [[(1 << 14) - 1, (1 << 15) - 1, 3 * (1 << 14) - 1, (1 << 16) - 1]]
    assert k_least.tolist() == [[0, 1 << 14, 1 << 15, 3 << 14]]
    assert np.abs(most - (0.25 + k_most * 2.0**-18)).max() <= resolution(1 << 16)
    assert np.abs(least - (0.25 + k_least * 2.0**-18)).max() <= resolution(1 << 16)
