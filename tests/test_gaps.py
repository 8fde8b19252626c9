"""Gaps of two branches against every breakpoint by itself, and proofs by gaps against looking at every case."""

from __future__ import annotations

from fractions import Fraction
from unittest.mock import patch

import numpy as np
from hypothesis import event, given
from hypothesis import strategies as st

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.analysis.gaps import FINEST, Gaps, Line
from onnx2snn.analysis.pairs import PairClimb, PairTable, check_pair

dyadic = st.builds(lambda m, e: m / 2.0**e, st.integers(1, 48), st.integers(2, 5))
step = dyadic | st.floats(0.02, 2)


@st.composite
def pair_climbs(draw: st.DrawFn) -> PairClimb:
    channels = draw(st.integers(1, 3))
    unit, other, scale = (np.array([draw(step) for _ in range(channels)]) for _ in range(3))
    offset = np.array([draw(st.floats(-3, 3)) for _ in range(channels)])
    low, high = np.full(channels, draw(st.integers(-9, 0))), np.full(channels, draw(st.integers(1, 9)))
    lo, hi = draw(st.integers(-3, 0)), draw(st.integers(1, 5))
    first = Climb(unit, offset, scale, np.full(channels, -20), np.full(channels, 20), lo, hi, "half-even")
    return PairClimb(first, other, low, high)


@given(pair_climbs())
def test_the_least_distance_from_a_whole_number(climb: PairClimb) -> None:
    gaps, first = climb.gaps, climb.first
    for row in range(len(climb.unit)):
        numbers = (first.scale, first.offset, climb.unit, first.unit)
        scale, offset, other, unit = (Fraction(float(a[row])) for a in numbers)

        places = {
            (k, a2): (Fraction(2 * k - 1, 2) * scale - offset - a2 * other) / unit
            for k in range(first.lo + 1, first.hi + 1)
            for a2 in climb.counts
        }
        distances = {case: abs(x - round(x)) for case, x in places.items()}
        least = min(distances.values())
        assert least - 4 * Fraction(FINEST) <= Fraction(float(gaps.width[row])) <= least
        k, a2 = (int(found[0]) for found in gaps.nearest(np.array([row])))
        assert distances[k, a2] - least <= 4 * Fraction(FINEST)


@given(pair_climbs(), st.integers(2, 14), st.integers(0, 12), st.integers(-3, 3), st.booleans())
def test_what_gaps_prove_is_so(climb: PairClimb, bits: int, shift: int, nudge: int, even: bool) -> None:
    first, fine = climb.first, 1 << (bits + shift)
    m1 = np.full(len(climb.unit), fine)
    m2, theta = (np.maximum(1, np.rint(a / first.unit * fine)).astype(np.int64) for a in (climb.unit, first.scale))
    v0 = np.rint((first.scale / 2 + first.offset) / first.unit * fine).astype(np.int64) + nudge
    table = PairTable(m1, m2, theta, v0, even)
    found = check_pair(climb, table)
    with patch.object(Gaps, "off", lambda _, line: np.full(len(line.unit), np.inf)):
        by_case = check_pair(PairClimb(first, climb.unit, climb.low, climb.high), table)
    assert found == by_case
    early = check_pair(climb, table, stop_early=True)
    assert (early[0] == early[1]) == (found[0] == found[1])
    line: Line = table.line
    event(f"proven by gaps: {int((climb.gaps.off(line) < climb.gaps.width).sum())} of {len(m1)}")
