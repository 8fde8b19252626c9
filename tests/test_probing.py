"""Probing recovers the staircase that a function is, and says why where it is none."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.analysis.jumps import Unclear
from onnx2snn.analysis.probing import Constant, OwnSteps, Uniform, probe
from onnx2snn.errors import PassError
from onnx2snn.ir import Graph
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Affine, Conv, Input, Staircase, Steps
from onnx2snn.passes import STAIRCASES, UnrollSteps, run_passes
from onnx2snn.reference import apply, evaluate

float32s = st.floats(1 / 64, 16, width=32)


def half_up(x: Array) -> Array:
    return np.floor(x + 0.5)


@given(float32s, st.integers(-9, 0), st.integers(1, 20), st.sampled_from([np.rint, half_up]))
def test_equal_steps_come_out_with_the_numbers_of_the_file(
    scale: float, lo: int, hi: int, rounding: Callable[[Array], Array]
) -> None:
    found = probe(lambda x: scale * np.clip(rounding(x / scale), lo, hi))
    assert isinstance(found, Uniform)
    assert (float(found.step), float(found.width), float(found.offset), float(found.base)) == (scale, scale, 0, 0)
    assert (found.lo, found.hi) == (lo, hi)


@given(
    st.lists(st.tuples(st.floats(-100, 100, width=32), st.sampled_from([0.5, -0.25, 1.0, 3.0])), min_size=1, max_size=8)
)
def test_own_steps_come_out_exactly(steps: list[tuple[float, float]]) -> None:
    places = np.sort(np.array([np.rint(place * 2**20) / 2**20 for place, _ in steps]))  # no finer than the first grid
    if len(places) > 1 and np.diff(places).min() < 0.01:
        return  # nearer than the first grid looks
    op = Steps(breakpoints=places, heights=np.array([height for _, height in steps]), base=-0.75)
    found = probe(lambda x: apply(op, x))
    if isinstance(found, OwnSteps):
        assert np.array_equal(found.breakpoints, op.breakpoints)
        assert np.array_equal(found.heights, op.heights)
        assert found.base == op.base
    else:
        assert isinstance(found, Uniform)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda x: np.clip(x, 0, 6), "continuous"),
        (np.tanh, "continuous"),
        (np.rint, "endless"),
        (lambda x: np.maximum(x, 0), "endless"),
        (np.log, "undefined"),
        (lambda x: np.clip(np.rint(x), 0, np.array([3.0, 5.0])), "uneven"),
    ],
)
def test_what_is_no_staircase(function: Callable[[Array], Array], kind: str) -> None:
    found = probe(function, (2,) if kind == "uneven" else ())
    assert isinstance(found, Unclear)
    assert found.kind == kind


def test_a_bump_between_the_points_of_the_first_grid_is_found() -> None:
    found = probe(lambda x: np.clip(np.rint(x), 0, 3) + 5.0 * ((x >= 1.7) & (x < 1.72)))
    assert not isinstance(found, (Uniform, Constant))


def test_the_cost_of_255_steps() -> None:
    start = time.perf_counter()
    assert isinstance(probe(lambda x: 0.137 * np.clip(np.rint(x / 0.137), -128, 127)), Uniform)
    assert time.perf_counter() - start < 0.5  # a few milliseconds, on a machine that is not busy


@pytest.mark.parametrize("slope", [0.125, 0.1])
def test_unrolled_steps_are_exact_at_the_zero_padded_border(slope: float) -> None:
    """A base that is not zero is missing where padding is: collect-bias has to know that pixel by pixel."""
    graph = Graph()
    at = graph.add("x", Input(shape=(2, 4, 4)))
    at = graph.add("first", Affine(shift=np.asarray(0.3)), [at])
    breakpoints = np.array([-3.0, -1.0, 0.25, 0.75, 1.5]) * slope
    steps = Steps(breakpoints=breakpoints, heights=np.array([0.5, 0.5, 0.5, 1.0, 0.5]), base=-1.0)
    at = graph.add("steps", steps, [at])
    weight = np.random.default_rng(3).integers(-3, 4, (3, 2, 3, 3))
    at = graph.add(
        "conv", Conv(weight=weight, scale=np.ones(3), strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1)), [at]
    )
    graph.outputs = (graph.add("q", Staircase(scale=np.asarray(0.5), lo=0, hi=7), [at]),)
    made = run_passes(graph, STAIRCASES)
    assert not made.of(Steps)
    x = np.random.default_rng(4).normal(0, 1, (50, 2, 4, 4))
    (name,) = made.outputs
    np.testing.assert_array_equal(evaluate(made, x)[name], evaluate(graph, x)["q"])


def test_a_constant_in_front_of_the_encoder_is_kept() -> None:
    graph = Graph()
    graph.add("x", Input(shape=(2,)))
    graph.add("a", Affine(shift=np.asarray(0.25)), ["x"])
    graph.outputs = (graph.add("q", Staircase(scale=np.asarray(0.5), lo=0, hi=7), ["a"]),)
    made = run_passes(graph, STAIRCASES)
    x = np.array([[0.1, 0.7]])
    np.testing.assert_array_equal(evaluate(made, x)[made.outputs[0]], evaluate(graph, x)["q"])


def test_too_many_runs_are_an_error_that_says_what_to_do() -> None:
    places = np.cumsum(1.0 + np.arange(40) ** 2)
    graph = Graph()
    graph.add("x", Input(shape=(2, 3)))
    graph.add("s", Steps(breakpoints=places, heights=np.ones(40)), ["x"])
    weight = np.ones((1, 2, 1), np.int8)
    graph.outputs = (graph.add("c", Conv(weight=weight, strides=(1,), pads=(0, 0), dilations=(1,)), ["s"]),)
    with pytest.raises(PassError) as found:
        UnrollSteps()(graph)
    assert "s (Steps, made by a pass): at most 16 runs of equal steps expected, found 20" in str(found.value)
    assert "unroll-steps{most_runs=20}" in str(found.value)
    assert len(UnrollSteps(most_runs=20)(graph).of(Staircase)) == 20
