"""Integer networks spelled in real numbers: every count is that of integer arithmetic, exact quotients included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.analysis.certificate import certify
from onnx2snn.ir import Graph
from onnx2snn.ir.graph import Origin
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Add, Affine, AveragePool, Clip, Dense, Input, Quantise, Readout, Relu, Staircase, Unary
from onnx2snn.passes import STAIRCASES, MakeInteger, MapNeurons, run_passes
from onnx2snn.reference import evaluate

TOP = 255
divisors = st.one_of(st.integers(1, 200), st.sampled_from([4096, 299593, 2097151, 8388607, 1 << 24]))
factors, shifts = st.integers(1, 4000), st.integers(-5000, 5000)


def divided(v: Array, d: int) -> Array:
    """Integer division as ONNX has it: toward zero.  v: int64."""
    return np.sign(v) * (np.abs(v) // d)


def rescaled(graph: Graph, x: str, kappa: int, shift: int, factor: int, divisor: int) -> str:
    """Kappa, lambda, cast, multiply, divide, clip: the activation of NEMO and DORY."""
    y = graph.add("kappa", Affine(scale=np.full((2,), float(kappa)), shift=np.full((2,), float(shift))), [x])
    y = graph.add("cast", Unary(function="truncate"), [y])
    y = graph.add("many", Affine(scale=np.asarray(float(factor))), [y])
    y = graph.add("few", Affine(scale=np.asarray(1 / divisor)), [y])
    y = graph.add("div", Unary(function="truncate"), [y])
    return graph.add("clip", Clip(low=0.0, high=float(TOP)), [y])


def layer(kappa: int, shift: int, factor: int, divisor: int) -> Graph:
    graph = Graph()
    graph.add("x", Input(shape=(2,)))
    y = graph.add("fc", Dense(weight=np.array([[1.0, 0.0], [0.0, -1.0]])), ["x"])
    y = rescaled(graph, y, kappa, shift, factor, divisor)
    graph.outputs = (graph.add("out", Dense(weight=np.eye(2)), [y]),)
    return graph


def ties(kappa: int, shift: int, factor: int, divisor: int) -> Array:
    """Inputs (points, 2) around every place where the quotient reaches another whole number, and others."""
    reach = np.arange(-3, TOP + 3) * divisor // factor - shift
    near = (reach[:, None] // kappa + np.arange(-2, 3)).ravel()
    values = np.concatenate([near, np.linspace(near.min(), near.max(), 500).astype(np.int64)])
    values = values[np.abs(values) < 1 << 15]
    return np.stack([values, -values], 1)


@given(st.integers(1, 2048), shifts, factors, divisors)
def test_every_count_is_that_of_integer_division(kappa: int, shift: int, factor: int, divisor: int) -> None:
    made = run_passes(layer(kappa, shift, factor, divisor), STAIRCASES)
    x = ties(kappa, shift, factor, divisor)
    expected = np.clip(divided((kappa * x * [1, -1] + shift) * factor, divisor), 0, TOP)
    found = evaluate(made, x.astype(np.float64))[made.outputs[0]]
    np.testing.assert_allclose(found, expected, atol=1e-9)  # far below one count; uneven steps are summed in float64
    assert len(made.of(Unary)) == 0


def residual(first: int, second: int, divisor: int) -> Graph:
    """floor((first a + second b) / divisor) of two activations a and b, cut at TOP."""
    graph = Graph()
    graph.add("x", Input(shape=(1,)))
    ends: list[str] = []
    for name, weight, factor in (("a", 1.0, first), ("b", -1.0, second)):
        y = graph.add(f"fc.{name}", Dense(weight=np.full((1, 1), weight), bias=np.full(1, 100.0)), ["x"])
        y = graph.add(f"{name}.cast", Unary(function="truncate"), [y])
        y = graph.add(f"{name}.round", Unary(function="floor"), [y])
        y = graph.add(name, Clip(low=0.0, high=float(TOP)), [y])
        ends.append(graph.add(f"{name}.many", Affine(scale=np.asarray(float(factor))), [y]))
    y = graph.add("few", Affine(scale=np.asarray(1 / divisor)), [graph.add("sum", Add(), ends)])
    y = graph.add("floor", Unary(function="floor"), [y])
    graph.outputs = (graph.add("out", Dense(weight=np.eye(1)), [y]),)
    return graph


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 64))
def test_a_residual_sum_is_scaled_down_as_integer_division_does(first: int, second: int, divisor: int) -> None:
    made = run_passes(residual(first, second, divisor), STAIRCASES)
    x = np.arange(-400, 400).reshape(-1, 1)
    a, b = np.clip(x + 100, 0, TOP), np.clip(100 - x, 0, TOP)
    found = evaluate(made, x.astype(np.float64))[made.outputs[0]]
    np.testing.assert_allclose(found, (first * a + second * b) // divisor, rtol=1e-12, atol=1e-9)


def test_a_sum_that_comes_back_to_whole_numbers_needs_no_staircase() -> None:
    made = run_passes(residual(32, 32, 32), STAIRCASES)
    assert [node.name for node in made.of(Staircase)] == ["a.many", "b.many"]


@pytest.mark.parametrize("function", ["floor", "ceil"])
def test_exact_quotients_of_a_mean_are_not_lost(function: str) -> None:
    graph = Graph()
    graph.add("x", Input(shape=(1, 3, 1)))
    y = graph.add("round", Unary(function="floor"), ["x"])
    y = graph.add("act", Clip(low=0.0, high=30.0), [y])
    pool = AveragePool(kernel=(3, 1), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1))
    y = graph.add("few", Affine(scale=np.asarray(1 / 7)), [graph.add("pool", pool, [y])])
    y = graph.add("again", Unary(function=function), [y])  # type: ignore[arg-type]
    graph.outputs = (graph.add("out", Relu(), [y]),)
    made = run_passes(graph, STAIRCASES)
    x = np.random.default_rng(0).integers(0, 31, (4000, 1, 3, 1))
    total = x.sum(axis=2, keepdims=True)
    expected = total // 21 if function == "floor" else -(-total // 21)
    np.testing.assert_array_equal(evaluate(made, x.astype(np.float64))[made.outputs[0]], expected)
    assert made.of(Readout)


@pytest.mark.parametrize("quantised", [False, True])
def test_the_certificate_says_where_an_input_is_only_taken_for_whole(quantised: bool) -> None:
    graph = layer(3, 5, 7, 64)
    if quantised:
        unit = Quantise(scale=np.ones(()), zero_point=0, qmin=0, qmax=255)
        graph.insert_before("fc", unit, "quantised")
        graph.annotate("quantised", Origin("/q", "QuantizeLinear", "q"))
    reference = run_passes(graph, STAIRCASES)
    network = run_passes(reference, (MapNeurons(steps=TOP), MakeInteger(steps=TOP)))
    certificate = certify(reference, network, TOP)
    assert certificate.exact
    (reason,) = [verdict.reason for verdict in certificate.verdicts if verdict.op == "encoder"]
    expected = "the model has no quantiser here: its input is read as whole numbers, counts -32768 to 32767"
    assert reason == ("" if quantised else expected)
