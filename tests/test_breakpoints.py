"""Breakpoints of staircases and of integer neurons against brute force over every accumulator value."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest
from brute_force import at_rest, climbed, count, counts, stbif
from hypothesis import event, example, given
from hypothesis import strategies as st

from onnx2snn.analysis.breakpoints import Climb, breakpoints, count_error, proven, surely_alike, table_breakpoints
from onnx2snn.analysis.pairs import PairClimb, PairTable, check_pair
from onnx2snn.ir import Array
from onnx2snn.ir.ops import Staircase
from onnx2snn.reference import counts_of

LOW, HIGH = -60, 60
Draw = Callable[[st.SearchStrategy[Any]], Any]
Rounding = Literal["half-even", "half-up"]

dyadics = st.builds(lambda m, e: m / 2.0**e, st.integers(1, 48), st.integers(2, 5))
irregular = st.floats(0.02, 2)
offsets = st.builds(lambda m: m / 16, st.integers(-200, 200)) | st.floats(-12, 12)
roundings: st.SearchStrategy[Rounding] = st.sampled_from(["half-even", "half-up"])


@st.composite
def units_and_scales(draw: Draw) -> tuple[float, float]:
    """A unit and a scale: both dyadic (ties happen), both irregular, or very nearly a whole ratio."""
    kind = draw(st.sampled_from(["dyadic", "irregular", "near"]))
    if kind == "dyadic":
        return draw(dyadics), draw(dyadics)
    unit = draw(irregular)
    if kind == "irregular":
        return unit, draw(irregular)
    nudge = 1 + draw(st.sampled_from([0, 1, -1])) * 2.0 ** -draw(st.sampled_from([23, 24, 25, 26, 30, 52]))
    return unit, unit * draw(st.integers(1, 12)) * nudge


def one(unit: float, offset: float, scale: float) -> tuple[Array, Array, Array]:
    return np.array([unit]), np.array([offset]), np.array([scale])


@given(units_and_scales(), offsets, st.integers(-5, 0), st.integers(1, 9), roundings)
@example((0.5, 1.0), 0.0, -3, 5, "half-even")  # every odd accumulator is a tie
@example((0.5, 1.0), 0.0, -3, 5, "half-up")
@example((0.1, 0.2), 0.0, -3, 5, "half-even")  # ties of float64 numbers that are no decimal fractions
@example((1.0, 2 * (1 + 2.0**-52)), 0.0, 0, 5, "half-even")  # the last bit decides
def test_breakpoints_of_a_staircase(
    pair: tuple[float, float], offset: float, lo: int, hi: int, rounding: Rounding
) -> None:
    unit, scale = pair
    found = breakpoints(*one(unit, offset, scale), lo, hi, rounding)
    assert found.shape == (1, hi - lo)
    expected = counts(unit, offset, scale, lo, hi, rounding, LOW, HIGH)
    assert {a: climbed(found[0], a, lo) for a in expected} == expected


def test_ties_are_where_they_should_be() -> None:
    even = breakpoints(*one(0.5, 0.0, 1.0), -2, 3, "half-even")
    up = breakpoints(*one(0.5, 0.0, 1.0), -2, 3, "half-up")
    assert even.tolist() == [[-2, -1, 2, 3, 6]]  # -1.5 -> -2, -0.5 -> 0, 0.5 -> 0, 1.5 -> 2, 2.5 -> 2
    assert up.tolist() == [[-3, -1, 1, 3, 5]]


@given(units_and_scales(), offsets, irregular, st.integers(-9, 9), roundings)
def test_a_second_branch_shifts_the_breakpoints(
    pair: tuple[float, float], offset: float, other: float, number: int, rounding: Rounding
) -> None:
    unit, scale = pair
    found = breakpoints(*one(unit, offset, scale), 0, 7, rounding, beside=(np.array([other]), np.array([number])))
    for a in range(LOW, HIGH + 1):
        value = Fraction(unit) * a + Fraction(offset) + Fraction(other) * number
        assert climbed(found[0], a, 0) == count(value, scale, 0, 7, rounding)


def test_breakpoints_out_of_reach_of_float64_are_refused() -> None:
    with pytest.raises(OverflowError, match=r"beyond 2\^52"):
        breakpoints(*one(1e-12, 0.0, 1e9), 0, 3, "half-even")


@given(units_and_scales(), offsets, st.integers(-5, 0), st.integers(1, 9), roundings)
def test_the_reference_agrees_wherever_float64_is_exact(
    pair: tuple[float, float], offset: float, lo: int, hi: int, rounding: Rounding
) -> None:
    unit, scale = pair
    op = Staircase(scale=np.array(scale), lo=lo, hi=hi, rounding=rounding)
    a = np.arange(LOW, HIGH + 1)
    value = unit * a + offset
    for number, x, n in zip(a, value, counts_of(op, value), strict=True):
        exactly, quotient = Fraction(unit) * int(number) + Fraction(offset), float(x) / scale
        if Fraction(float(x)) == exactly == Fraction(quotient) * Fraction(scale):
            assert n == count(exactly, scale, lo, hi, rounding)


# -- neurons --------------------------------------------------------------------------------------------------------


@st.composite
def charges(draw: Draw) -> Array:
    """Whole charges (ticks, accumulator values), each column adding up to one value from LOW to HIGH."""
    ticks = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = rng.integers(-40, 41, (ticks, HIGH - LOW + 1))
    parts[rng.integers(ticks)] += np.arange(LOW, HIGH + 1) - parts.sum(axis=0)
    return parts


@given(
    charges(),
    st.integers(1, 40),
    st.integers(-80, 80),
    st.integers(0, 3),
    st.integers(-5, 0),
    st.integers(1, 9),
    st.booleans(),
)
def test_a_neuron_at_rest_has_climbed_its_table_whatever_the_order(
    parts: Array, theta: int, v0: int, shift: int, lo: int, hi: int, even: bool
) -> None:
    found = table_breakpoints(np.array([theta]), np.array([v0]), np.array([1 << shift]), lo, hi, even)
    op = stbif(theta, v0, lo, hi, even, shift)
    resting = at_rest(op, parts * (1 << shift))
    assert resting.tolist() == [climbed(found[0], a, lo) for a in range(LOW, HIGH + 1)]


# -- comparing ------------------------------------------------------------------------------------------------------

tables = st.lists(st.integers(-12, 12), min_size=4, max_size=4).map(sorted)


@given(tables, tables, st.integers(-10, 0), st.integers(0, 10))
def test_count_error_and_proof(truth: list[int], table: list[int], low: int, high: int) -> None:
    ends = np.array([low]), np.array([high])
    both = np.array([truth]), np.array([table])
    errors = [abs(climbed(both[0], a, 0) - climbed(both[1], a, 0)) for a in range(low, high + 1)]
    assert count_error(*both, *ends) == max(errors)
    agree = proven(*both, *ends)
    assert agree.all() == (max(errors) == 0)


@given(
    units_and_scales(),
    irregular,
    st.floats(-3, 3),
    st.tuples(*[st.integers(1, 64)] * 3),
    st.integers(-40, 40),
    st.booleans(),
)
def test_pairs_of_branches(
    pair: tuple[float, float], other: float, offset: float, whole: tuple[int, int, int], v0: int, even: bool
) -> None:
    """m1 a1 + m2 a2 + v0 against k theta, over every pair of accumulator values."""
    unit, scale = pair
    m1, m2, theta = whole
    low, high, lo, hi = -9, 9, 0, 3
    first = Climb(*one(unit, offset, scale), np.array([low]), np.array([high]), lo, hi, "half-even")
    climb = PairClimb(first, np.array([other]), np.array([low]), np.array([high]))
    table = PairTable(np.array([m1]), np.array([m2]), np.array([theta]), np.array([v0]), even)
    good, total, worst = check_pair(climb, table)
    errors: list[int] = []
    for a2 in range(low, high + 1):
        for a1 in range(low, high + 1):
            value = Fraction(unit) * a1 + Fraction(other) * a2 + Fraction(offset)
            membrane = m1 * a1 + m2 * a2 + v0
            here = sum(membrane >= k * theta + (even and k % 2 == 1) for k in range(1, hi + 1))
            errors.append(abs(here - count(value, scale, lo, hi, "half-even")))
    assert worst == max(errors)
    assert (good == total) == (worst == 0)
    assert total == climb.cases


@given(
    units_and_scales(),
    offsets,
    roundings,
    st.integers(0, 20),
    st.sampled_from([1, 3]),
    st.tuples(st.integers(-2, 2), st.integers(-40, 40)),
    st.booleans(),
)
def test_what_float64_proves_alike_is_alike(
    numbers: tuple[float, float],
    offset: float,
    rounding: Rounding,
    shift: int,
    factor: int,
    nudges: tuple[int, int],
    ties_even: bool,
) -> None:
    (unit, scale), gain = numbers, factor << shift
    theta, v0 = round(scale / unit * gain) + nudges[0], round((scale / 2 + offset) / unit * gain) + nudges[1]
    climb = Climb(*(np.array([n]) for n in (unit, offset, scale, LOW, HIGH)), lo=-3, hi=12, rounding=rounding)
    integers = np.array([theta]), np.array([v0]), np.array([gain])
    (sure,) = surely_alike(climb, *integers, ties_even)
    same = bool((climb.breakpoints() == table_breakpoints(*integers, climb.lo, climb.hi, ties_even)).all())
    event(f"sure: {sure}, alike: {same}")
    assert same or not sure


def test_float64_proves_a_fine_table_alike() -> None:
    climb = Climb(*(np.array([n]) for n in (0.3, 0.1, 1.7, LOW, HIGH)), lo=0, hi=200, rounding="half-even")
    gain = np.array([1 << 30])
    theta, v0 = (np.rint(n / 0.3 * gain).astype(np.int64) for n in (1.7, 1.7 / 2 + 0.1))
    assert surely_alike(climb, theta, v0, gain, ties_even=False).all()
    assert not surely_alike(climb, theta, v0 + (gain >> 1), gain, ties_even=False).any()
