"""Grids of weights are found where they are, and nowhere else; integer networks spelled in real numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.analysis.whole import ANYTHING, Multiples, whole_values
from onnx2snn.ir import Graph, parse_graph
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Dense, Input
from onnx2snn.passes import FindWeightGrids

WHOLE_INPUT = Multiples(Fraction(1), if_input=True)
seeds = st.integers(0, 2**32 - 1)


def found(weight: Array) -> Dense:
    graph = Graph()
    graph.add("x", Input(shape=(weight.shape[1],)))
    graph.outputs = (graph.add("fc", Dense(weight=weight.astype(np.float64)), ["x"]),)
    op = FindWeightGrids()(graph)["fc"].op
    assert isinstance(op, Dense)
    return op


@given(seeds, st.integers(1, 6), st.integers(8, 40), st.sampled_from([1, 3, 7, 127]), st.booleans())
def test_fake_quantised_weights_come_back_as_codes(seed: int, out: int, many: int, top: int, channels: bool) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(-top, top + 1, (out, many))
    codes[:, 0], codes[:, 1:6] = top, 1  # no common factor, and enough that are not zero
    scale = rng.uniform(0.001, 0.1, out if channels else 1).astype(np.float32)
    weight = codes.astype(np.float32) * scale[:, None]
    op = found(weight)
    assert op.scale is not None
    np.testing.assert_array_equal(op.weight, codes)
    np.testing.assert_allclose(op.scale, np.broadcast_to(scale, (out,)), rtol=2e-7)
    np.testing.assert_array_equal(op.weight.astype(np.float32) * op.scale.astype(np.float32)[:, None], weight)


def test_ternary_channels_whose_scales_meet_by_chance_stay_ternary() -> None:
    codes = np.array([[1, -1, 0] * 4, [0, 1, 1] * 4])
    op = found(codes * np.array([[169], [123]]) * np.float32(0.0003))
    np.testing.assert_array_equal(op.weight, codes)


def test_one_scale_stays_one_where_many_channels_are_multiples_of_it() -> None:
    codes = np.outer([7, 5, 4, 3, 6, 1], [1, -1, 0, 1, 1, 0, -1, -1])
    op = found(codes * np.float32(0.013))
    np.testing.assert_array_equal(op.weight, codes)


@given(seeds, st.integers(1, 64), st.integers(1, 64))
def test_random_weights_are_on_no_grid(seed: int, out: int, many: int) -> None:
    weight = np.random.default_rng(seed).normal(0, 0.3, (out, many)).astype(np.float32)
    assert found(weight).scale is None


@given(seeds, st.integers(1, 64))
def test_channels_of_one_or_two_weights_are_no_evidence(seed: int, out: int) -> None:
    rng = np.random.default_rng(seed)
    pruned = rng.normal(0, 0.3, (out, 9)).astype(np.float32)
    pruned[:, 2:] = 0
    assert found(pruned).scale is None


@given(seeds, st.integers(1, 8), st.booleans())
def test_dorefa_weights_come_back_although_a_rounding_of_one_is_left_in_them(seed: int, bits: int, gain: bool) -> None:
    rng, top = np.random.default_rng(seed), 2**bits - 1
    t = np.tanh(rng.normal(0, 1, (6, 50))).astype(np.float32)
    t = t / (2 * np.abs(t).max()) + np.float32(0.5)
    weight = 2 * (np.rint(t * top).astype(np.float32) / np.float32(top)) - 1
    op = found(weight * (np.float32(rng.uniform(0.1, 2)) if gain else np.float32(1)))
    assert op.scale is not None
    codes = 2 * np.rint(t * top) - top
    np.testing.assert_array_equal(op.weight * (np.abs(codes).max() / np.abs(op.weight).max()), codes)


@pytest.mark.parametrize("levels", [[1, 3], [1, 2, 127], [85, 170, 255]])
def test_weights_that_are_clipped_nearly_all_are_on_their_grid(levels: list[int]) -> None:
    codes = np.full((4, 100), levels[-1])
    codes[0, : len(levels)] = levels
    op = found(codes.astype(np.float32) * np.float32(0.0123))
    np.testing.assert_array_equal(op.weight, codes // np.gcd.reduce(levels))


def test_each_weight_moves_by_less_than_the_bound() -> None:
    rng = np.random.default_rng(3)
    codes = np.ones((1, 70000))
    codes[0, :2] = 255, 254
    weight = (codes * (1 + np.where(codes > 1, 0, 2.0**-22))).astype(np.float64) / 255 * rng.uniform(1, 2)
    op = found(weight)
    assert op.scale is not None
    assert np.abs(op.weight * op.scale[:, None] - weight).max() <= 2.0**-20 * weight.max()


@given(seeds, st.integers(1, 8))
def test_random_weights_of_few_levels_are_on_no_grid(seed: int, out: int) -> None:
    rng = np.random.default_rng(seed)
    assert found(rng.choice(rng.normal(0, 0.3, 16), (out, 100)).astype(np.float32)).scale is None


def test_powers_of_two_and_their_sums_are_multiples_of_the_smallest() -> None:
    levels = np.float32(0.37) * np.array([0, 1, 2, 3, 4, 6, 8, 12, 16], np.float32) / 16
    rng = np.random.default_rng(5)
    op = found(rng.choice(levels, (4, 20)) * rng.choice([-1, 1], (4, 20)))
    assert op.scale is not None
    assert np.abs(op.weight).max() == 16


def test_whole_weights_have_scale_one() -> None:
    op = found(np.array([[300.0, -2.0], [0.0, 7.0]]))
    assert op.weight.dtype == np.int64
    np.testing.assert_array_equal(op.scale if op.scale is not None else 0, [1, 1])


@pytest.mark.parametrize(
    ("ops", "expected"),
    [
        (["affine({}){{scale=f64[]{{2.0}}, shift=f64[]{{-1.0}}}}"], WHOLE_INPUT),
        (["affine({}){{shift=f64[]{{0.5}}}}"], Multiples(Fraction(1, 2), True)),
        (['unary({}){{function="floor"}}', "relu({}){{}}", "clip({}){{low=0.0, high=7.0}}"], Multiples(Fraction(1))),
        (['unary({}){{function="floor"}}', "clip({}){{low=0.0, high=7.5}}"], Multiples(Fraction(1, 2))),
        (["staircase({}){{scale=f64[]{{1.0}}, lo=0, hi=7}}", "add({0}, {0}){{}}"], Multiples(Fraction(1))),
        (["steps({}){{breakpoints=f64[1]{{0.3}}, heights=f64[1]{{2.0}}, base=-1.0}}"], Multiples(Fraction(1))),
        (["steps({}){{breakpoints=f64[1]{{0.3}}, heights=f64[1]{{2.0}}, base=0.5}}"], Multiples(Fraction(1, 2))),
        (['unary({}){{function="sigmoid"}}'], ANYTHING),
        (['unary({}){{function="sigmoid"}}', 'unary({}){{function="sign"}}'], Multiples(Fraction(1))),
        (["affine({}){{scale=f64[2]{{6.0, 4.0}}}}", 'unary({}){{function="abs"}}'], Multiples(Fraction(2), True)),
        (["affine({}){{scale=f64[]{{37.0}}}}", f"affine({{}}){{{{scale=f64[]{{{{{1 / 37!r}}}}}}}}}"], WHOLE_INPUT),
        (["affine({}){{scale=f64[]{{0.1}}}}", "multiply({0}, {0}){{}}"], Multiples(Fraction(1, 100), True)),
        (["affine({}){{scale=f64[]{{0.3183098861837907}}}}"], ANYTHING),
    ],
)
def test_what_is_whole(ops: list[str], expected: Multiples) -> None:
    lines, at = ["x : 2 = input(){shape=(2)}"], "x"
    for index, op in enumerate(ops):
        lines.append(f"n{index} : 2 = {op.format(at)}")
        at = f"n{index}"
    graph = parse_graph("graph net {\n" + "\n".join(lines) + f"\nreturn {at}\n}}")
    assert whole_values(graph)[at] == expected
