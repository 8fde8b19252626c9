"""Calibration: distributions in constant memory, clip ranges, corrections, and the command line of it all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import one_line, onnx2snn
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from models import ModelBuilder

from onnx2snn import Calibration, convert
from onnx2snn.analysis.calibration import CHANNEL_BINS, Range, channel_axis, grid, histograms, ranges, sites
from onnx2snn.analysis.comparison import difference
from onnx2snn.analysis.histogram import Histogram
from onnx2snn.errors import DataError, Onnx2SnnError, UsageError
from onnx2snn.flow.conversion.tuner import Target, Tuner
from onnx2snn.ir import Graph, parse_graph
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Neuron, Quantise
from onnx2snn.passes import STAIRCASES, QuantiseActivations, run_passes
from onnx2snn.passes.text import parse_recipe, print_recipe
from onnx2snn.reference import evaluate

BINS = 64
numbers = st.floats(-1e6, 1e6, allow_subnormal=False) | st.floats(-1e-6, 1e-6) | st.just(0.0)
pieces = st.lists(st.integers(1, 40).flatmap(lambda n: arrays(np.float64, (2, n), elements=numbers)), min_size=1)


def quantile(values: Array, share: float) -> float:
    """The least value that at least this share of all does not exceed."""
    ordered = np.sort(values)
    return float(ordered[max(int(np.ceil(share * len(values))), 1) - 1])


# -- histogram ------------------------------------------------------------------------------------------------------


@given(pieces, st.integers(0, 1000))
def test_a_streamed_quantile_is_within_one_width_above_the_exact_one(parts: list[Array], permille: int) -> None:
    streamed = Histogram(2, BINS)
    for part in parts:
        streamed.add(part)
    whole = np.concatenate(parts, axis=1)
    found = streamed.quantile(permille / 1000)
    for channel, values in enumerate(whole):
        exact = quantile(values, permille / 1000)
        assert exact <= found[channel] <= exact + streamed.width[channel]
        assert streamed.width[channel] <= max(2 * np.abs(values).max() / BINS, 2.0**-999)
    assert (streamed.low, streamed.high) == (pytest.approx(whole.min(axis=1)), pytest.approx(whole.max(axis=1)))


@given(pieces)
def test_the_order_and_size_of_batches_change_nothing(parts: list[Array]) -> None:
    one, other = Histogram(2, BINS), Histogram(2, BINS)
    for part in parts:
        one.add(part)
    other.add(np.concatenate(parts[::-1], axis=1))
    np.testing.assert_array_equal(one.counts, other.counts)
    np.testing.assert_array_equal(one.exponent, other.exponent)
    assert one.counts.sum() == 2 * sum(part.shape[1] for part in parts)


def test_memory_does_not_grow_with_the_data() -> None:
    histogram = Histogram(3, BINS)
    size = histogram.counts.nbytes
    rng = np.random.default_rng(0)
    for power in range(-20, 20):
        histogram.add(rng.normal(0, 2.0**power, (3, 500)))
    assert histogram.counts.nbytes == size == 3 * 2 * BINS * 8
    assert (histogram.counts.sum(axis=1) == 40 * 500).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(wrong: float) -> None:
    with pytest.raises(DataError, match="finite activations expected"):
        Histogram(1, BINS).add(np.array([[1.0, wrong]]))


# -- ranges ---------------------------------------------------------------------------------------------------------

NET = """graph net {
  x : 2 = input(){shape=(2)}
  a : 2 = relu(x){}
  b : 2 = affine(a){shift=f64[]{-1.0}}
  c : 2 = clip(b){low=-1.0, high=6.0}
  d : 2 = relu(c){}
  q : 2 = quantise(d){scale=f64[]{0.5}, zero_point=0, qmin=0, qmax=3}
  return q
}
"""


def ranges_of(
    graph: Graph, x: Array, *, per_channel: bool = False, names: tuple[str, ...] | None = None, **method: Any
) -> dict[str, Range]:
    return ranges(histograms(graph, [x[:3], x[3:]], names or sites(graph), per_channel), **method)


def test_sites_are_the_activations_that_nothing_quantises() -> None:
    assert sites(parse_graph(NET)) == ("a",)
    assert sites(parse_graph(NET.replace("return q", "return d"))) == ("a",), "c is read by a Relu alone, d by q"


def test_max_and_percentile() -> None:
    graph = parse_graph(NET)
    x = np.stack([np.arange(1000.0), -np.arange(1000.0)], axis=1)
    assert ranges_of(graph, x)["a"].high == 999
    assert ranges_of(graph, x, per_channel=True)["a"].high.tolist() == [999, 999], "a dead channel takes the widest"
    found = ranges_of(graph, x, method="percentile", percentile=99.0)["a"].high
    assert 979 <= found <= 979 + 2 * 999 / CHANNEL_BINS, "half of the values are zero"
    per_channel = ranges_of(graph, x, per_channel=True, method="percentile", percentile=99.0)["a"].high
    assert abs(per_channel[0] - 989) <= 2 * 999 / CHANNEL_BINS + 0.01


def test_a_node_that_is_never_positive_gets_the_range_one() -> None:
    assert ranges_of(parse_graph(NET), -np.ones((5, 2)))["a"].high == 1
    assert ranges_of(parse_graph(NET), -np.ones((5, 2)), method="mse")["a"].high == 1


def test_a_percentile_of_zero_falls_back_to_the_largest_value() -> None:
    x = np.zeros((2000, 2))
    x[7, 0] = 3.0
    assert ranges_of(parse_graph(NET), x, method="percentile")["a"].high == 3


def test_no_samples_are_an_error() -> None:
    with pytest.raises(DataError, match="one sample or more expected"):
        histograms(parse_graph(NET), [], ["a"])


def quantised_error(x: Array, high: float, levels: int) -> float:
    scale = high / levels
    return float(np.square(x - scale * np.clip(np.rint(x / scale), 0, levels)).sum())


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 7, 15, 31]))
def test_mse_is_as_good_as_the_best_candidate_in_memory(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.standard_t(3, (400, 2)), 0)
    found = float(ranges_of(parse_graph(NET), x, method="mse", levels=levels)["a"].high)
    best = min(quantised_error(x, x.max() * (1 - 0.01 * i), levels) for i in range(95))
    assert quantised_error(x, found, levels) <= best * 1.01 + 1e-9, "bins are much finer than steps"


@given(st.floats(-10, 0), st.floats(0.01, 10), st.integers(1, 300))
def test_a_grid_covers_its_range_with_the_levels_asked_for(low: float, high: float, levels: int) -> None:
    scale, lo, hi = grid(Range(np.asarray(low), np.asarray(high)), levels)
    assert (hi - lo, lo <= 0 < hi) == (levels, True)
    assert scale * hi >= high * (1 - 1e-12)
    assert scale * (lo - 0.5) <= low or levels == 1 or lo == 0


def test_signed_outputs_get_steps_below_zero() -> None:
    graph = parse_graph(NET.replace("return q", "return b"))
    x = np.linspace(0, 4, 50).repeat(2).reshape(50, 2)
    found = ranges_of(graph, x, names=("b",))
    made = QuantiseActivations(levels=8, ranges={"b": [float(found["b"].low), float(found["b"].high)]})(graph)
    op = made["b.steps"].op
    assert isinstance(op, Quantise)
    assert (op.scale, op.qmin, op.qmax) == (0.5, -2, 6)
    with pytest.raises(UsageError, match=r"low <= 0 < high expected, found \[1, 2\]"):
        QuantiseActivations(ranges={"b": [1, 2]})
    with pytest.raises(UsageError, match="low <= 0 < high expected"):
        parse_recipe('quantise-activations{ranges={"b": 3}}')


# -- whole networks -------------------------------------------------------------------------------------------------


def small_cnn(path: Path, clip: bool = False) -> tuple[Path, Array]:
    """Conv, activation, max-pool, Conv, activation, Gemm, activation, Gemm: real-valued; and samples."""
    m = ModelBuilder(["N", 1, 8, 8])
    y = m.node("Conv", "x", m.constant(m.rng.normal(0, 0.5, (4, 1, 3, 3))), m.constant(m.rng.normal(0, 0.2, 4)))
    y = m.node("Clip", y, m.constant(0.0), m.constant(6.0)) if clip else m.node("Relu", y)
    y = m.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = m.node("Relu", m.node("Conv", y, m.constant(m.rng.normal(0, 0.4, (6, 4, 2, 2)))))
    y = m.node("Gemm", m.node("Flatten", y), m.constant(m.rng.normal(0, 0.3, (12, 24))), transB=1)
    y = m.node("Gemm", m.node("Relu", y), m.constant(m.rng.normal(0, 0.4, (5, 12))), transB=1)
    return m.save(y, path), m.rng.random((96, 1, 8, 8)).astype(np.float32)


def test_an_iterable_factory_says_the_same_as_an_array(tmp_path: Path) -> None:
    model, x = small_cnn(tmp_path / "m.onnx")

    def batches() -> Iterator[Array]:
        yield from (x[start : start + 64] for start in range(0, len(x), 64))

    for method in ("max", "percentile", "mse"):
        calibration = Calibration(method, levels=7, per_channel=True, correct=("bias",))
        one = convert(model, calibrate=x, calibration=calibration).network
        other = convert(model, calibrate=batches, calibration=calibration).network
        assert one.staircase_passes == other.staircase_passes


@pytest.mark.parametrize("clip", [False, True])
def test_every_option_together_verifies_and_prints_a_recipe_that_parses_back(clip: bool, tmp_path: Path) -> None:
    model, x = small_cnn(tmp_path / "m.onnx", clip)
    data = tmp_path / "x.npz"
    np.savez(data, x=x)
    words = ["--calibrate-method", "mse", "--levels", 7, "--per-channel", "--correct", "bias,v0"]
    words += ["--quantise-input", 255, "--weight-bits", 6]
    for code in ("st-bif", "if"):
        out = tmp_path / code
        made = onnx2snn("convert", model, "-o", out, "--calibrate", data, "--code", code, *words, "--json")
        assert made.code == 0, made.err
        assert made.json["arithmetic"] == "integer"
        assert made.json["encoder"] == "quantised"
        for word in ("--calibrate-method mse", "--per-channel", "--correct bias,v0", "--weight-bits 6"):
            assert word in made.json["command"]
        recipe = parse_recipe(made.json["staircase_passes"])
        assert print_recipe(recipe) == made.json["staircase_passes"]
        verified = onnx2snn("verify", model, out, "--data", data, "--json")
        assert verified.code == 0, verified.json["findings"]
        assert verified.json["parity"]["calibrated"]
        if code == "st-bif":
            assert made.json["breakpoints"] > 0
            assert all(layer["cumulative"] == 0 for layer in verified.json["parity"]["layers"])


def test_weights_and_input_in_whole_numbers_make_a_float_model_provable(tmp_path: Path) -> None:
    model, x = small_cnn(tmp_path / "m.onnx")
    for correct in ((), ("theta", "bias", "v0")):
        found = convert(model, calibrate=x, calibration=Calibration(input_levels=255, weight_bits=8, correct=correct))
        assert found.certificate.proven_as_staircases
        assert not found.certificate.exact, "the weights are no longer the model's"
        assert len(found.certificate.approximations) == 4
        assert found.certificate.breakpoints > 100


def test_weight_bits_need_no_samples(tmp_path: Path) -> None:
    model, _ = small_cnn(tmp_path / "m.onnx")
    done = onnx2snn("convert", model, "-o", tmp_path / "net", "--weight-bits", 8)
    _, *activations = done.err.splitlines()
    assert (done.code, [line.split()[0] for line in activations]) == (1, ["Relu_1", "Relu_2", "Relu_3"])
    assert all("calibrate" in line for line in activations)


def test_residual_networks_calibrate(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 3, 6, 6])
    same = [1, 1, 1, 1]
    first = m.node("Relu", m.node("Conv", "x", m.constant(m.rng.normal(0, 0.4, (4, 3, 3, 3))), pads=same))
    inner = m.node("Relu", m.node("Conv", first, m.constant(m.rng.normal(0, 0.3, (4, 4, 3, 3))), pads=same))
    outer = m.node("Conv", inner, m.constant(m.rng.normal(0, 0.3, (4, 4, 3, 3))), pads=same)
    y = m.node("Flatten", m.node("Relu", m.node("Add", outer, first)))
    model = m.save(m.node("Gemm", y, m.constant(m.rng.normal(0, 0.2, (5, 144))), transB=1), tmp_path / "m.onnx")
    x = m.rng.random((40, 3, 6, 6)).astype(np.float32)
    data = tmp_path / "x.npz"
    np.savez(data, x=x)
    words = ["--levels", 15, "--correct", "bias", "--weight-bits", 8, "--quantise-input", 255]
    made = onnx2snn("convert", model, "-o", tmp_path / "net", "--calibrate", data, *words, "--json")
    assert made.code == 0, made.err
    verified = onnx2snn("verify", model, tmp_path / "net", "--data", data, "--json")
    assert verified.code == 0, verified.json["findings"]
    assert verified.json["parity"]["argmax_agreement"] > 0.9


@pytest.mark.parametrize(("op", "options"), [("LeakyRelu", {"alpha": 0.1}), ("HardSigmoid", {}), ("Elu", {})])
def test_other_activations_calibrate_and_can_be_proven(op: str, options: dict[str, Any], tmp_path: Path) -> None:
    m = ModelBuilder(["N", 1, 8, 8])
    y = m.node(op, m.node("Conv", "x", m.constant(m.rng.normal(0, 0.5, (4, 1, 3, 3)))), **options)
    y = m.node("Gemm", m.node("Flatten", y), m.constant(m.rng.normal(0, 0.1, (5, 144))), transB=1)
    model = m.save(m.node("Sigmoid", y), tmp_path / "m.onnx")
    x = m.rng.random((40, 1, 8, 8)).astype(np.float32)
    found = convert(model, calibrate=x, calibration=Calibration(levels=31, input_levels=255, weight_bits=8))
    assert [v.name for v in found.certificate.verdicts if v.exactness == "bounded"] == []
    assert found.certificate.breakpoints > 0
    assert found.certificate.proven == found.certificate.breakpoints
    expected = evaluate(found.ann, x)[found.ann.outputs[0]]
    assert np.abs(found.simulate(x).output - expected).max() < 0.05


def test_a_quantiser_spelled_out_is_none_to_calibrate(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 1, 8, 8])
    y = m.node("Conv", "x", m.constant(m.rng.normal(0, 0.5, (4, 1, 3, 3))))
    y = m.node("Clip", m.node("Div", y, m.constant(0.25)), m.constant(0.0), m.constant(7.0))
    y = m.node("Flatten", m.node("Mul", m.node("Round", y), m.constant(0.25)))
    model = m.save(m.node("Gemm", y, m.constant(m.rng.normal(0, 0.1, (5, 144))), transB=1), tmp_path / "m.onnx")
    found = convert(model, calibrate=m.rng.random((8, 1, 8, 8)).astype(np.float32))
    assert not found.calibrated


def mean_errors(tuner: Tuner, code: str, steps: int) -> list[Array]:
    """The mean difference of each channel at each activation, for the facts that the tuner finds."""
    target = Target(STAIRCASES, code, steps)
    facts = tuner.facts
    for name in ("theta", "bias", "v0"):
        if name in tuner.calibration.correct:
            for site in facts.covered:
                facts = tuner._corrected(facts, name, site, target)
    found = [tuner._compare(facts, site, target) for site in facts.covered]
    return [one.mean for one in found if one is not None]


@pytest.mark.parametrize("code", ["if", "st-bif"])
def test_bias_and_v0_take_the_mean_error_away(code: str, tmp_path: Path) -> None:
    model, x = small_cnn(tmp_path / "m.onnx")
    ann = convert(model).ann
    errors = {}
    for correct in ((), ("bias",), ("v0",), ("bias", "v0")):
        tuner = Tuner(ann, Calibration("percentile", 97.0, levels=5, correct=correct), x)
        found = mean_errors(tuner, code, 5)
        assert len(found) == 3
        errors[correct] = sum(float(np.abs(mean).sum()) for mean in found)
    assert max(errors["bias",], errors["v0",], errors["bias", "v0"]) < 0.8 * errors[()]


def test_theta_never_makes_a_layer_worse(tmp_path: Path) -> None:
    model, x = small_cnn(tmp_path / "m.onnx")
    tuner = Tuner(convert(model).ann, Calibration(levels=15, correct=("theta",)), x)
    target = Target(STAIRCASES, "if", 4)
    first = next(iter(tuner.facts.covered))
    before = tuner._compare(tuner.facts, first, target)
    after = tuner._compare(tuner._corrected(tuner.facts, "theta", first, target), first, target)
    assert before is not None
    assert after is not None
    assert after.square < before.square


def test_v0_moves_into_the_membrane_and_changes_no_total(tmp_path: Path) -> None:
    model, x = small_cnn(tmp_path / "m.onnx")
    conversion = convert(model, code="if", steps=8, calibrate=x, calibration=Calibration(levels=8, correct=("v0",)))
    network = conversion.network
    neurons = [node.op for node in network.graph.of(Neuron) if isinstance(node.op, Neuron)]
    assert any(np.abs(op.v0 - op.theta / 2).max() > 1e-3 for op in neurons)
    reference = run_passes(conversion.ann, parse_recipe(network.staircase_passes))
    for node in network.graph.of(Neuron):
        assert isinstance(node.op, Neuron)
        source = reference[reference[node.name].inputs[0]]
        shift = getattr(source.op, "shift", None)
        expected = node.op.theta / 2 + (0 if shift is None else shift)
        np.testing.assert_allclose(np.broadcast_to(node.op.v0 + node.op.bias, expected.shape), expected, atol=1e-9)


def test_the_difference_of_batches_is_that_of_all() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 10, 3, 4, 5))
    found = difference(((one[i : i + 3], other[i : i + 3]) for i in range(0, 10, 3)), 0)
    np.testing.assert_allclose(found.mean, (one - other).mean(axis=(0, 2, 3)), atol=1e-12)
    assert found.square == pytest.approx(np.square(one - other).mean())


def test_channels_lie_along_the_last_axis_behind_a_dense() -> None:
    graph = parse_graph(
        """graph net {
  x : 3x2 = input(){shape=(3, 2)}
  fc : 3x1 = dense(x){weight=f64[1,2]{1.0, 1.0}}
  r : 3x1 = relu(fc){}
  return r
}
"""
    )
    assert (channel_axis(graph, "r"), channel_axis(graph, "x")) == (1, 0)
    values = evaluate(graph, np.ones((2, 3, 2)))["r"]
    assert values.shape == (2, 3, 1)
    assert histograms(graph, [np.ones((2, 3, 2))], ["r"], per_channel=True)["r"].counts.shape[0] == 1


# -- errors ---------------------------------------------------------------------------------------------------------


def test_wrong_options_are_one_line(tmp_path: Path) -> None:
    model, x = small_cnn(tmp_path / "m.onnx")
    data = tmp_path / "x.npz"
    np.savez(data, x=x)
    base = ["convert", model, "-o", tmp_path / "net"]
    one_line(onnx2snn(*base, "--correct", "bias"), "--calibrate DATA.npz")
    one_line(onnx2snn(*base, "--levels", 7), "--calibrate DATA.npz")
    base += ["--calibrate", data]
    one_line(onnx2snn(*base, "--calibrate-method", "median"), "no calibration method 'median'; known: max, percentile")
    one_line(onnx2snn(*base, "--correct", "bias,x"), "no correction 'x'; known: theta, bias, v0")
    one_line(onnx2snn(*base, "--percentile", 0), "--percentile: a number above 50")
    one_line(onnx2snn(*base, "--weight-bits", 1), "found 1")
    one_line(onnx2snn(*base, "--quantise-input", 99999), "--quantise-input: a whole number")
    assert not (tmp_path / "net").exists()


def test_wrong_options_in_python() -> None:
    wrong: list[dict[str, Any]] = [
        {"method": "x"},
        {"levels": 0},
        {"levels": True},
        {"percentile": 101},
        {"weight_bits": 17},
        {"input_levels": -1},
        {"correct": ("x",)},
    ]
    for options in wrong:
        with pytest.raises(Onnx2SnnError, match=r"expected|known"):
            Calibration(**options)
