"""The threshold solver: what it calls solved is exact, and no coarser grid would do, both by brute force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from brute_force import climbed, counts
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from onnx2snn.analysis import lines
from onnx2snn.analysis.breakpoints import Climb, proven, table_breakpoints
from onnx2snn.analysis.solve import Limits, solve

Draw = Callable[[st.SearchStrategy[Any]], Any]

dyadic = st.builds(lambda m, e: m / 2.0**e, st.integers(1, 15), st.integers(2, 5))
step = dyadic | st.floats(0.05, 1)


def climb_of(unit: float, offset: float, scale: float, reach: int, lo: int, hi: int) -> Climb:
    """One channel with accumulator values from -reach to reach."""
    numbers = [np.array([value]) for value in (unit, offset, scale, -reach, reach)]
    return Climb(*numbers, lo=lo, hi=hi, rounding="half-even")


@st.composite
def climbs(draw: Draw, widest: int = 40, channels: int = 3, levels: int = 7) -> Climb:
    """Staircases over small lattices, several channels with numbers of their own."""
    count = draw(st.integers(1, channels))
    units, scales = (np.array([draw(step) for _ in range(count)]) for _ in range(2))
    offsets = np.array([draw(st.integers(-32, 32)) / 16 for _ in range(count)])
    low = np.array([draw(st.integers(-widest, 0)) for _ in range(count)])
    high = np.array([draw(st.integers(0, widest)) for _ in range(count)])
    lo, rounding = draw(st.integers(-levels, 0)), draw(st.sampled_from(["half-even", "half-up"]))
    return Climb(units, offsets, scales, low, high, lo, draw(st.integers(1, levels)), rounding)


def is_exact(climb: Climb, row: int, theta: int, v0: int, shift: int, even: bool) -> bool:
    """Whether a neuron has the staircase's count at every accumulator value of the channel."""
    table = table_breakpoints(np.array([theta]), np.array([v0]), np.array([1 << shift]), climb.lo, climb.hi, even)[0]
    return all(climbed(table, a, climb.lo) == n for a, n in truth(climb, row).items())


def truth(climb: Climb, row: int) -> dict[int, int]:
    unit, offset, scale = (float(a[row]) for a in (climb.unit, climb.offset, climb.scale))
    low, high = int(climb.low[row]), int(climb.high[row])
    return counts(unit, offset, scale, climb.lo, climb.hi, climb.rounding, low, high)


@given(climbs(), st.booleans(), st.integers(0, 12))
@example(climb_of(1.0, 0.0, 2.0, 9, -3, 4), True, 6)
def test_what_is_called_solved_is_exact(climb: Climb, tie_rule: bool, shift: int) -> None:
    found = solve(climb, Limits(shift=shift), tie_rule)
    assert found.shift <= shift
    assert tie_rule or not found.ties_even
    for row in range(len(climb.unit)):
        exact = is_exact(climb, row, int(found.theta[row]), int(found.v0[row]), found.shift, found.ties_even)
        assert exact or not found.solved[row]
        assert found.theta[row] >= 1


def anything_solves(climb: Climb, row: int, shift: int, even: bool) -> bool:
    """Whether any pair (theta, v0) on this grid is exact: every theta up to past the whole range, every v0."""
    numbers = truth(climb, row)
    steps = sorted({(a, n) for a, n in numbers.items()})
    first, last = steps[0][0] << shift, steps[-1][0] << shift
    for theta in range(1, last - first + 3):
        for v0 in range(climb.lo * theta - last - 1, (climb.hi + 1) * theta - first + 2):
            wanted = all(_count(climb, (a << shift) + v0, theta, even) == n for a, n in steps)
            if wanted:
                return True
    return False


def _count(climb: Climb, membrane: int, theta: int, even: bool) -> int:
    count = membrane // theta
    tie = even and membrane % theta == 0 and count % 2 == 1
    return min(max(count - tie, climb.lo), climb.hi)


@settings(max_examples=300)
@given(climbs(widest=7, channels=1, levels=3), st.booleans())
def test_no_coarser_grid_would_do(climb: Climb, tie_rule: bool) -> None:
    """A solution on a grid is one on every finer grid, so looking at one grid below is enough."""
    limits = Limits(shift=2)
    found = solve(climb, limits, tie_rule)
    if not found.solved.all():
        assert not any(anything_solves(climb, 0, limits.shift, even) for even in {False, tie_rule})
        return
    if found.shift > 0:
        assert not anything_solves(climb, 0, found.shift - 1, found.ties_even)
    if found.ties_even:
        assert not anything_solves(climb, 0, limits.shift, even=False)


@given(climbs(channels=2), st.integers(1, 6), st.integers(4, 400))
def test_limits_of_a_target_hold(climb: Climb, bits: int, largest: int) -> None:
    limits = Limits(shift=8, theta=largest, significant_bits=bits)
    found = solve(climb, limits, tie_rule=True)
    for theta, solved in zip(found.theta, found.solved, strict=True):
        assert theta >= 1
        if solved:
            assert theta <= largest
            assert significant(int(theta)) <= bits


def significant(number: int) -> int:
    """Bits from the highest one to the lowest one that is set."""
    return number.bit_length() - ((number & -number).bit_length() - 1)


@given(st.integers(1, 1 << 20), st.integers(1, 12), st.integers(1, 1 << 20))
def test_limits_say_what_fits(theta: int, bits: int, largest: int) -> None:
    held = Limits(theta=largest, significant_bits=bits).holds(np.array([theta]))
    assert bool(held[0]) == (theta <= largest and significant(theta) <= bits)


@given(st.floats(0.01, 0.2), st.floats(0.1, 1), st.floats(-1, 1), st.sampled_from([3, 15]))
def test_irregular_scales_are_solved_on_small_grids(unit: float, scale: float, offset: float, levels: int) -> None:
    """3 levels need about one fractional bit, 15 about six: scales are far from ties, ranges like a small layer's."""
    assume(abs(scale / unit * 2 - round(scale / unit * 2)) > 1e-3)
    found = solve(climb_of(unit, offset, scale, 2000, 0, levels), Limits(), tie_rule=True)
    assert found.solved.all()
    assert found.shift <= (6 if levels == 3 else 12)


def test_channels_share_one_grid_and_keep_their_own_pairs() -> None:
    unit, scale = np.array([1.0, 1.0, 0.3]), np.array([4.0, 3.0, 1.0])
    climb = Climb(unit, np.zeros(3), scale, np.full(3, -50), np.full(3, 50), 0, 7, "half-up")
    found = solve(climb, Limits(), tie_rule=False)
    assert found.solved.all()
    assert found.shift > 0
    assert found.theta[:2].tolist() == [4 << found.shift, 3 << found.shift]


def test_ties_that_no_threshold_can_place_need_the_rule_for_ties() -> None:
    climb = climb_of(1.0, 0.0, 2.0, 20, 0, 7)
    without, having = (solve(climb, Limits(), tie_rule) for tie_rule in (False, True))
    assert not without.solved.any()
    assert having.solved.all()
    assert having.ties_even
    assert having.shift == 0
    assert having.theta.tolist() == [2]


def wide_climb(seed: int, channels: int = 12) -> Climb:
    """Staircases of so many steps that candidates are tried at a few of their counts first."""
    rng = np.random.default_rng(seed)
    levels, unit = int(rng.integers(24, 256)), rng.uniform(0.01, 1, channels)
    scale = unit * rng.uniform(0.3, 300, channels)
    reach = (scale / unit * levels * rng.uniform(0.1, 2, channels)).astype(np.int64) + 1
    lo = -int(rng.integers(0, levels))
    return Climb(unit, rng.normal(0, 3, channels) * scale, scale, -reach, reach, lo, lo + levels, "half-even")


@given(st.integers(0, 2**32 - 1))
def test_many_levels_are_exact_as_well(seed: int) -> None:
    climb = wide_climb(seed)
    found = solve(climb, Limits(), tie_rule=False)
    table = table_breakpoints(
        found.theta, found.v0, np.full(len(found.theta), 1 << found.shift), climb.lo, climb.hi, False
    )
    assert found.solved.all()
    assert proven(climb.breakpoints(), table, climb.low, climb.high).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([{}, {"theta": 5000}, {"significant_bits": 9}, {"shift": 5}]))
def test_the_counts_tried_first_change_no_solution(seed: int, limits: dict[str, int]) -> None:
    climb = wide_climb(seed)
    found = solve(climb, Limits(**limits), tie_rule=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "SEGMENTS", climb.hi - climb.lo)
        expected = solve(climb, Limits(**limits), tie_rule=True)
    for one, other in zip(vars(found).values(), vars(expected).values(), strict=True):
        np.testing.assert_array_equal(one, other)
