"""Weights on a grid of few bits: the error, the bound on sums and counts, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import one_line, onnx2snn
from hypothesis import given
from hypothesis import strategies as st
from models import Array, ModelBuilder

from onnx2snn import Calibration, convert, verify
from onnx2snn.analysis.bounds import bounds
from onnx2snn.analysis.registers import width
from onnx2snn.analysis.weight_rounding import Scales, Search, on_grid, real_rows, shift
from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.ir import Graph, parse_graph
from onnx2snn.ir.ops import Conv, Dense, Input, Quantise, Relu
from onnx2snn.passes import Approximation, QuantiseWeights
from onnx2snn.passes.text import parse_recipe, print_recipe
from onnx2snn.reference import evaluate

BITS = st.integers(2, 16)
SEEDS = st.integers(0, 2**32 - 1)
HOW = st.tuples(st.sampled_from(["channel", "layer"]), st.sampled_from(["max", "mse"]))


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Weights with outliers, a row of zeros now and then, over many magnitudes."""
    rows = rng.standard_t(2, shape) * 10.0 ** rng.uniform(-6, 3, (shape[0],) + (1,) * (len(shape) - 1))
    return np.where(rng.random((shape[0],) + (1,) * (len(shape) - 1)) < 0.1, 0.0, rows)


# -- the grid -------------------------------------------------------------------------------------------------------


@given(BITS, HOW, SEEDS)
def test_codes_have_so_many_bits_and_weights_move_by_half_a_step(
    bits: int, how: tuple[Scales, Search], seed: int
) -> None:
    scales, search = how
    rows = heavy(np.random.default_rng(seed), (5, 17))
    grid = on_grid(rows, bits, scales, search)
    assert width(grid.codes, grid.codes) <= bits
    assert -grid.codes.min() <= 2 ** (bits - 1) - 1, "symmetric"
    assert scales == "channel" or len(set(grid.scale)) == 1
    moved, half = np.abs(grid.values - rows), grid.scale[:, None] / 2 * (1 + 1e-9)
    cut = np.abs(grid.codes) == 2 ** (bits - 1) - 1
    assert (moved <= half)[~cut].all(), "only what is cut off moves further"
    assert search == "mse" or (moved <= half).all()


@given(st.integers(2, 8), HOW, SEEDS)
def test_the_search_is_never_worse_than_the_largest_weight(bits: int, how: tuple[Scales, Search], seed: int) -> None:
    rows = heavy(np.random.default_rng(seed), (4, 40))
    plain, found = (np.square(on_grid(rows, bits, how[0], search).values - rows).sum() for search in ("max", "mse"))
    assert found <= plain * (1 + 1e-9)


def test_the_search_cuts_outliers_off() -> None:
    rows = np.array([[10.0, *np.linspace(-4, 4, 200)]])
    plain, found = (np.square(on_grid(rows, 3, "channel", search).values - rows).sum() for search in ("max", "mse"))
    assert found < 0.8 * plain


@given(BITS, HOW, SEEDS)
def test_whole_scales_are_whole_and_cost_little(bits: int, how: tuple[Scales, Search], seed: int) -> None:
    rows = np.random.default_rng(seed).integers(-(2**20), 2**20, (5, 17)).astype(np.float64)
    free, found = (on_grid(rows, bits, *how, whole) for whole in (False, True))
    np.testing.assert_array_equal(found.scale, np.rint(found.scale))
    assert found.scale.min() >= 1
    assert width(found.codes, found.codes) <= bits
    assert (np.abs(found.scale - free.scale) < 0.1 * free.scale + 1).all()


def test_a_network_in_whole_numbers_that_rounds_sums_twice_keeps_whole_sums(tmp_path: Path) -> None:
    m, rng = ModelBuilder(("N", 6)), np.random.default_rng(5)
    y = m.node("MatMul", m.quantise("x", 1.0, 0, 255), m.constant(rng.integers(-70, 57, (6, 4))))
    y = m.node("Floor", m.node("Add", m.node("Mul", y, m.constant(5.0)), m.constant(17.0)))
    y = m.node("Floor", m.node("Div", m.node("Mul", y, m.constant(7.0)), m.constant(2048.0)))
    y = m.node("Clip", y, m.constant(0.0), m.constant(255.0))
    model = m.save(m.gemm(y, 4, 3), tmp_path / "m.onnx")
    found = convert(model, calibration=Calibration(weight_bits=3)).certificate
    assert found.proven == found.breakpoints > 0
    assert any("a whole scale for each channel" in text for text in found.approximations)


def test_what_lies_on_the_grid_stays() -> None:
    codes = np.random.default_rng(0).integers(-7, 8, (6, 30))
    codes[:, 0] = 7
    scale = np.linspace(0.1, 0.7, 6)
    grid = on_grid(codes * scale[:, None], 4, "channel", "max")
    np.testing.assert_array_equal(grid.codes, codes)


# -- the bound ------------------------------------------------------------------------------------------------------


def layer(rng: np.random.Generator, conv: bool) -> Graph:
    """Quantised input, a layer with real weights, a quantiser: what a calibrated model holds."""
    graph = Graph()
    low, high = int(rng.integers(-8, 1)), int(rng.integers(1, 16))
    graph.add("x", Input(shape=(4, 5, 5) if conv else (20,)))
    scale = np.asarray(rng.uniform(0.1, 2.0))
    graph.add("q", Quantise(scale=scale, zero_point=0, qmin=low, qmax=high), ["x"])
    op = (
        Conv(weight=heavy(rng, (6, 2, 3, 3)), strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1), groups=2)
        if conv
        else Dense(weight=heavy(rng, (6, 20)), bias=rng.normal(size=6))
    )
    graph.add("w", op, ["q"])
    graph.add("r", Relu(), ["w"])
    step = np.asarray(float(np.abs(op.weight).max() or 1.0) * rng.uniform(0.1, 1.0))
    graph.outputs = (graph.add("s", Quantise(scale=step, zero_point=0, qmin=0, qmax=15), ["r"]),)
    return graph


def worst_inputs(moved: Array, low: float, high: float, graph: Graph) -> Array:
    """Inputs that drive each output of a Dense as far as they can, either way."""
    assert graph.shape("x") == (moved.shape[1],)
    return np.concatenate([np.where(moved > 0, high, low), np.where(moved > 0, low, high)])


@given(st.integers(2, 8), HOW, st.booleans(), SEEDS)
def test_sums_and_counts_stay_within_their_bound(bits: int, how: tuple[Scales, Search], conv: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = layer(rng, conv)
    notes: list[str] = []
    made = QuantiseWeights(bits, *how)(graph, notes)
    assert [isinstance(note, Approximation) for note in notes] == [True]
    before, after = (real_rows(g["w"].op) for g in (graph, made))  # type: ignore[arg-type]
    found = shift(graph, graph["w"], before, after)
    assert found.sums is not None
    assert found.counts is not None
    assert f"{found}" in notes[0]
    low, high = bounds(graph, graph["q"]) or (0.0, 0.0)
    x = rng.uniform(2 * low - 1, 2 * high + 1, (64, *graph.shape("x")))
    x = x if conv else np.concatenate([x, worst_inputs(after - before, low, high, graph)])
    one, other = evaluate(graph, x), evaluate(made, x)
    apart = np.abs(one["w"] - other["w"]).max()
    slack = 1e-9 * max(1.0, float(np.abs(one["w"]).max()))
    assert apart <= found.sums + slack
    assert conv or apart >= found.sums - slack, "the worst input reaches it"
    op = graph["s"].op
    assert isinstance(op, Quantise)
    assert np.abs(one["s"] - other["s"]).max() <= (found.counts + 1e-6) * float(op.scale)


def test_without_a_range_there_is_no_bound_and_that_is_said() -> None:
    graph = Graph()
    graph.add("x", Input(shape=(2,)))
    graph.outputs = (graph.add("w", Dense(weight=np.array([[0.3, -1.0]])), ["x"]),)
    notes: list[str] = []
    QuantiseWeights(2)(graph, notes)
    assert "has no bound, for its input has none" in notes[0]


def test_bounds_of_scales_that_differ_hold_for_all() -> None:
    graph = parse_graph(
        """graph net {
  x : 2 = input(){shape=(2)}
  q : 2 = quantise(x){scale=f64[2]{0.5, 2.0}, zero_point=-1, qmin=0, qmax=3}
  r : 2 = relu(q){}
  a : 2 = affine(r){scale=f64[2]{1.0, -3.0}}
  return a
}
"""
    )
    assert bounds(graph, graph["q"]) == (0.5, 8.0)
    assert bounds(graph, graph["a"]) == (-24.0, 8.0)
    assert bounds(graph, graph["x"]) is None


# -- text and refusals ----------------------------------------------------------------------------------------------


def test_text_round_trip() -> None:
    recipe = (QuantiseWeights(), QuantiseWeights(4, "layer", "mse"))
    text = 'quantise-weights, quantise-weights{bits=4, scales="layer", search="mse"}'
    assert print_recipe(recipe) == text
    assert parse_recipe(text) == recipe


@pytest.mark.parametrize("text", ["quantise-weights{bits=1}", "quantise-weights{bits=17}"])
def test_bits_out_of_range(text: str) -> None:
    with pytest.raises(UsageError, match="2 to 16 bits expected"):
        parse_recipe(text)


@pytest.mark.parametrize(
    ("text", "known"), [('scales="row"', "known: channel, layer"), ('search="best"', "known: max, mse")]
)
def test_unknown_choices(text: str, known: str) -> None:
    with pytest.raises(UnknownNameError, match=known):
        parse_recipe(f"quantise-weights{{{text}}}")


def test_choices_go_with_bits() -> None:
    for wrong in ({"weight_scales": "layer"}, {"weight_search": "mse"}):
        with pytest.raises(UsageError, match="go with weight_bits"):
            Calibration(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="known: channel, layer"):
        Calibration(weight_bits=8, weight_scales="row")  # type: ignore[arg-type]
    assert not Calibration(weight_bits=8, weight_scales="layer", weight_search="mse").needs_samples


# -- whole networks -------------------------------------------------------------------------------------------------


def weighted(path: Path, codes: Array, dtype: type, real: bool = False) -> Path:
    """A quantised input, a Gemm with these weights, as codes of a type or as real numbers, an activation, a Gemm."""
    m = ModelBuilder(["N", codes.shape[1]], opset=21)
    x = m.quantise("x", 0.1, -7, 7)
    values = m.constant(codes * 0.01) if real else None
    if values is None:
        grid = (m.constant(np.float32(0.01)), m.constant(0, dtype))
        values = m.node("DequantizeLinear", m.constant(codes, dtype), *grid)
    y = m.quantise(m.node("Relu", m.node("Gemm", x, values, transB=1)), 0.05, 0, 15)
    return m.save(m.gemm(y, len(codes), 3), path)


def test_weights_of_16_bits_are_rounded_and_the_difference_is_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    model = weighted(tmp_path / "m.onnx", rng.integers(-3000, 3000, (8, 12)), np.int16)
    x = rng.normal(0, 0.4, (200, 12)).astype(np.float32)
    assert convert(model).certificate.exact, "as they are they can be proven"
    found = convert(model, calibrate=x, calibration=Calibration(weight_bits=8))
    network = found.network
    assert not network.certificate.exact
    assert network.certificate.proven_as_staircases
    (lost,) = network.certificate.approximations
    assert "weights rounded to 8 bits" in lost
    assert "counts of " in lost, "the quantiser behind has its bound"
    assert max(width(op.weight, op.weight) for op in (n.op for n in network.graph.of(Dense))) <= 8  # type: ignore[attr-defined]
    measured = [note for note in network.notes if note.startswith("measured cost")]
    assert len(measured) == 1
    assert "200 samples: same answer on " in measured[0]
    found.save(tmp_path / "net")
    np.savez(tmp_path / "x.npz", x=x)
    checked = verify(model, tmp_path / "net", tmp_path / "x.npz")
    assert checked.ok, checked.findings
    assert checked.calibrated
    assert checked.parity is not None
    assert all(layer.cumulative == 0 for layer in checked.parity.layers)
    assert checked.parity.largest_output_error > 0


def test_weights_on_a_grid_of_few_bits_stay_as_they_are(tmp_path: Path) -> None:
    codes = np.random.default_rng(4).integers(-7, 8, (8, 12))
    codes[0, 0] = 7
    for real in (False, True):
        model = weighted(tmp_path / "m.onnx", codes, np.int8, real)
        found = convert(model, calibration=Calibration(weight_bits=8))
        assert not found.calibrated
        assert found.certificate.exact
        assert found.certificate.approximations == ()
        assert not found.rounds_weights


def float_cnn(path: Path) -> Path:
    m = ModelBuilder(["N", 1, 8, 8])
    y = m.node("Conv", "x", m.constant(m.rng.normal(0, 0.4, (4, 1, 3, 3))), strides=[2, 2])
    y = m.node("Relu", m.batch_norm(y, 4, [0.8, -0.7, 1.2, 1.1]))
    y = m.node("Gemm", m.node("Flatten", y), m.constant(m.rng.normal(0, 0.2, (6, 36))), transB=1)
    return m.save(m.node("Gemm", m.node("Relu", y), m.constant(m.rng.normal(0, 0.4, (5, 6))), transB=1), path)


def test_a_scale_for_the_layer_survives_batchnorm(tmp_path: Path) -> None:
    model, x = float_cnn(tmp_path / "m.onnx"), np.random.default_rng(0).random((40, 1, 8, 8)).astype(np.float32)
    for scales in ("channel", "layer"):
        calibration = Calibration(input_levels=15, weight_bits=8, weight_scales=scales)
        graph = convert(model, code="if", calibrate=x, calibration=calibration).network.graph
        theta = graph["Relu_1.steps"].op.theta  # type: ignore[attr-defined]
        assert (len(np.unique(theta)) == 1) == (scales == "layer")


@pytest.mark.parametrize("backend", ["loihi", "tianjic"])
def test_a_float_network_on_a_chip(backend: str, tmp_path: Path) -> None:
    model, data = float_cnn(tmp_path / "m.onnx"), tmp_path / "x.npz"
    np.savez(data, x=np.random.default_rng(0).random((40, 1, 8, 8)).astype(np.float32))
    words = ("convert", model, "-o", tmp_path / "net", "--format", backend, "--calibrate", data)
    words += ("--quantise-input", 15, "--levels", 7)
    refused = onnx2snn(*words)
    assert (refused.code, "Traceback" in refused.err) == (1, False)
    assert "--weight-bits 8" in refused.err
    made = onnx2snn(*words, "--weight-bits", 6, "--weight-scale", "layer", "--weight-search", "mse")
    assert made.code == 0, made.err
    assert made.out.count("approximation: ") == 3
    assert "measured cost of rounded weights, 40 samples: same answer on " in made.out
    manifest = json.loads((tmp_path / "net" / "manifest.json").read_text())
    assert "--weight-bits 6 --weight-scale layer --weight-search mse" in manifest["command"]
    verified = onnx2snn("verify", model, tmp_path / "net", "--data", data, "--json")
    assert verified.code == 0, verified.json["findings"]
    assert not verified.json["certificate"]["exact"]


def test_wrong_options_are_one_line(tmp_path: Path) -> None:
    words = ("convert", float_cnn(tmp_path / "m.onnx"), "-o", tmp_path / "net")
    one_line(onnx2snn(*words, "--weight-bits", 8, "--weight-scale", "row"), "known: channel, layer")
    one_line(onnx2snn(*words, "--weight-scale", "layer"), "go with --weight-bits")
    one_line(onnx2snn(*words, "--weight-bits", 17), "found 17")
