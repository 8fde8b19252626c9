"""The codes beyond integrate-and-fire: units side by side, charge that is stored first, and leaks."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onnx2snn.analysis.certificate import certify
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.backends.torch import TorchBackend
from onnx2snn.errors import BackendError, PassError, UsageError
from onnx2snn.flow.conversion.convert import Conversion
from onnx2snn.flow.conversion.options import Options
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import IF, LIF, Add, AveragePool, Ladder, Neuron, Staircase, StoreAndForward
from onnx2snn.passes import STAIRCASES, MakeInteger, MapNeurons, run_passes
from onnx2snn.passes.text import parse_recipe, print_recipe
from onnx2snn.plugins import load_backend
from onnx2snn.reference import counts_of, evaluate, neurons, run, settle_bound
from onnx2snn.testing import CASES
from onnx2snn.testing.cases import NetworkBuilder
from onnx2snn.testing.conformance import lowered, samples
from onnx2snn.testing.strategies import inputs, networks

EXACT = ("st-bif", "store-and-forward", "ladder")
thetas, starts = st.integers(1, 40), st.integers(-60, 60)
lows, highs, ties = st.integers(-6, 0), st.integers(1, 9), st.sampled_from(["up", "even"])


def whole(kind: Any, theta: int, v0: int, **rest: Any) -> Any:
    arrays = {"theta": np.asarray(theta), "v0": np.asarray(v0), "bias": np.asarray(0), "value": np.asarray(1)}
    return kind(**(arrays | rest))


def count(charge: int, theta: int, v0: int, lo: int, hi: int, even: bool) -> int:
    """The staircase of a charge, in plain whole numbers."""
    steps, left = divmod(v0 + charge, theta)
    if even and not left and steps % 2:
        steps -= 1
    return min(max(steps, lo), hi)


def trains(op: Neuron, charges: Array, ticks: int) -> Array:
    """Spikes (ticks, n) of neurons that get the rows of `charges`, then nothing."""
    state = neurons.start(op, charges.shape[1:])
    nothing = np.zeros_like(charges[0])
    return np.stack([neurons.step(op, state, charges[t] if t < len(charges) else nothing) for t in range(ticks)])


# -- by definition --------------------------------------------------------------------------------------------------


@given(thetas, starts, lows, highs, ties)
def test_a_ladder_sends_the_count_at_once(theta: int, v0: int, lo: int, hi: int, tie: str) -> None:
    op = whole(Ladder, theta, v0, lo=lo, hi=hi, ties=tie)
    charge = np.arange(-500, 500)[None]
    train = trains(op, charge, 3)
    expected = [count(int(q), theta, v0, lo, hi, tie == "even") for q in charge[0]]
    assert train[0].tolist() == expected
    assert not train[1:].any()


@given(thetas, starts, lows, highs, ties, st.integers(0, 99))
def test_a_ladder_with_several_steps_sends_differences(
    theta: int, v0: int, lo: int, hi: int, tie: str, seed: int
) -> None:
    op = whole(Ladder, theta, v0, lo=lo, hi=hi, ties=tie)
    charges = np.random.default_rng(seed).integers(-50, 60, (4, 30))
    train = trains(op, charges, 4)
    for t in range(4):
        totals = charges[: t + 1].sum(axis=0)
        assert train[: t + 1].sum(axis=0).tolist() == [count(int(q), theta, v0, lo, hi, tie == "even") for q in totals]


@given(thetas, starts, starts, lows, highs, ties, st.integers(0, 3))
def test_units_pass_at_their_thresholds(theta: int, v0: int, bias: int, lo: int, hi: int, tie: str, shift: int) -> None:
    op = whole(Ladder, theta, v0, bias=np.asarray(bias), lo=lo, hi=hi, ties=tie, shift=shift)
    places = op.unit_thresholds()
    assert places.shape == (hi - lo,)
    for x in range(-120, 120):
        assert lo + int((places <= x).sum()) == count((x << shift) + bias, theta, v0, lo, hi, tie == "even")


def test_unit_thresholds_of_real_neurons_and_of_channels() -> None:
    arrays = {"v0": np.array(0.5), "bias": np.array([[0.25], [-1.0]]), "value": np.ones(())}
    op = Ladder(theta=np.ones(()), **arrays, lo=-1, hi=2, ties="even")
    found = op.unit_thresholds()
    assert found.shape == (3, 2, 1)
    assert found[:, 0, 0].tolist() == [-0.75, np.nextafter(0.25, 1), 1.25]
    assert found[:, 1, 0].tolist() == [0.5, np.nextafter(1.5, 2), 2.5]


@given(thetas, starts, lows, highs, ties, st.integers(1, 6), st.integers(0, 99))
def test_stored_charge_goes_out_as_one_unary_train(
    theta: int, v0: int, lo: int, hi: int, tie: str, opens: int, seed: int
) -> None:
    """The proof in the docstring: |n| spikes of one sign in a row, and no more."""
    op = whole(StoreAndForward, theta, v0, lo=lo, hi=hi, ties=tie, opens=opens)
    charges = np.random.default_rng(seed).integers(-90, 100, (opens, 50))
    train = trains(op, charges, opens + op.window + 2)
    expected = np.array([count(int(q), theta, v0, lo, hi, tie == "even") for q in charges.sum(axis=0)])
    assert not train[:opens].any()
    after = np.arange(len(train) - opens)[:, None] < np.abs(expected)
    np.testing.assert_array_equal(train[opens:], np.where(after, np.sign(expected), 0))


@given(thetas, starts, lows, highs, ties, st.integers(0, 9), st.integers(0, 99))
def test_charge_that_comes_late_is_counted_all_the_same(
    theta: int, v0: int, lo: int, hi: int, tie: str, opens: int, seed: int
) -> None:
    op = whole(StoreAndForward, theta, v0, lo=lo, hi=hi, ties=tie, opens=opens)
    charges = np.random.default_rng(seed).integers(-30, 40, (6, 50))
    train = trains(op, charges, max(6, opens) + hi - lo)
    expected = [count(int(q), theta, v0, lo, hi, tie == "even") for q in charges.sum(axis=0)]
    assert train.sum(axis=0).tolist() == expected


@given(thetas, starts, st.integers(0, 4096), st.sampled_from(["subtract", "zero"]), st.integers(0, 99))
def test_a_leak_is_cut_toward_zero_in_whole_numbers(theta: int, v0: int, decay: int, reset: str, seed: int) -> None:
    op = whole(LIF, theta, v0, decay=decay / 4096, reset=reset)
    charges = np.random.default_rng(seed).integers(-30, 60, (9, 1))
    v, expected = v0, []
    for (charge,) in charges.tolist():
        v = (abs(v) * decay // 4096) * (1 if v > 0 else -1) + charge
        spike = int(v >= theta)
        v = 0 if spike and reset == "zero" else v - theta * spike
        expected.append(spike)
    assert trains(op, charges, 9)[:, 0].tolist() == expected


@given(thetas, starts, st.integers(0, 99))
def test_without_a_leak_it_is_the_integrate_and_fire_neuron(theta: int, v0: int, seed: int) -> None:
    charges = np.random.default_rng(seed).integers(-30, 60, (9, 20))
    leaky, plain = whole(LIF, theta, v0, decay=1.0), whole(IF, theta, v0)
    np.testing.assert_array_equal(trains(leaky, charges, 12), trains(plain, charges, 12))


def test_membranes_of_62_bits_leak_exactly() -> None:
    big = (1 << 61) + 12345
    op = whole(LIF, 1 << 20, 0, decay=3686 / 4096)
    assert neurons.decayed(np.array([big, -big]), op.decay, op.integer).tolist() == [
        big * 3686 >> 12,
        -(big * 3686 >> 12),
    ]


# -- whole networks -------------------------------------------------------------------------------------------------


def same_counts(stairs: Graph, counts: dict[str, Array], x: Array) -> None:
    values = evaluate(stairs, x)
    for name, found in counts.items():
        op = stairs[name].op
        assert isinstance(op, Staircase)
        np.testing.assert_array_equal(found, counts_of(op, values[stairs[name].inputs[0]]), err_msg=name)


@pytest.mark.parametrize("code", ["store-and-forward", "ladder"])
@given(st.data())
def test_an_exact_code_has_every_count_of_the_quantised_network(code: str, data: st.DataObject) -> None:
    """Residual sums with unequal scales, concats, pools, depthwise and signed layers, BatchNorm of either sign."""
    trained = data.draw(networks())
    stairs = run_passes(trained, STAIRCASES)
    steps = 1 if code == "ladder" else data.draw(st.integers(1, 20))
    try:
        network = run_passes(stairs, (MapNeurons(code=code, steps=steps), MakeInteger(steps=steps)))
    except PassError:
        assume(False)
        raise
    x = data.draw(inputs(trained))
    certificate = certify(stairs, network, steps)
    found = run(network, x, steps)
    if certificate.exact:
        same_counts(stairs, found.counts, x)
    twin = run_passes(stairs, (MapNeurons(steps=steps), MakeInteger(steps=steps)))
    verdicts = {v.name: v.exactness for v in certify(stairs, twin, steps).verdicts}
    assert {v.name: v.exactness for v in certificate.verdicts} == verdicts  # what st-bif proves, these prove
    assert found.spikes == {name: int(np.abs(counts).sum()) for name, counts in found.counts.items()}
    assert found.steps <= steps + settle_bound(network, steps)
    fast = NumpySimulator(network, steps).run(x)
    assert (fast.steps, fast.spikes) == (found.steps, found.spikes)
    for name, counts in found.counts.items():
        np.testing.assert_array_equal(fast.counts[name], counts)


@settings(max_examples=15)
@pytest.mark.parametrize("code", ["store-and-forward", "ladder"])
@given(st.data())
def test_real_arithmetic_comes_to_the_same_counts(code: str, data: st.DataObject) -> None:
    trained = data.draw(networks(dyadic=True))
    stairs = run_passes(trained, STAIRCASES)
    steps = 1 if code == "ladder" else 4  # equal parts of few-bit charges are exact
    x = data.draw(inputs(trained))
    network = MapNeurons(code=code, steps=steps)(stairs)
    same_counts(stairs, run(network, x, steps).counts, x)
    same_counts(stairs, NumpySimulator(network, steps).run(x).counts, x)


def test_every_population_opens_when_its_charge_is_complete() -> None:
    stairs = run_passes(CASES["residual-add-of-unequal-scales"](), STAIRCASES)
    network = MapNeurons(code="store-and-forward", steps=5)(stairs)
    done: dict[str, int] = {}
    populations = 0
    for node in network:
        fed = max((done[source] for source in node.inputs), default=5)
        done[node.name] = fed
        if isinstance(node.op, StoreAndForward):
            populations += 1
            assert node.op.opens == fed
            done[node.name] = fed + node.op.window
    assert populations > 1
    assert settle_bound(network, 5) == max(done.values()) - 5


def test_a_population_that_waits_is_not_taken_for_silent() -> None:
    """All are silent at some tick before the last opens: a fan-in whose first layer counts nothing."""
    network = lowered("conv-chain", load_backend("numpy"), "store-and-forward", "integer")
    x = np.zeros_like(samples(network))
    stairs = run_passes(CASES["conv-chain"](), STAIRCASES)
    for found in (run(network.graph, x, network.schedule.steps), NumpySimulator(network.graph, 15).run(x)):
        same_counts(stairs, found.counts, x)


@pytest.mark.parametrize("code", ["st-bif", "store-and-forward", "ladder"])
def test_the_certificate_covers_the_exact_codes(code: str) -> None:
    certificate = lowered("residual-add-of-unequal-scales", load_backend("numpy"), code, "integer").certificate
    assert certificate.exact
    assert certificate.proven == certificate.breakpoints > 0


def test_the_certificate_never_calls_a_leak_exact() -> None:
    conversion = Conversion(
        CASES["conv-chain"](),
        lowered("conv-chain", load_backend("numpy"), "if", "integer").source,
        Options(code="lif", decay=1.0),
    )
    for verdict in conversion.certificate.verdicts:
        if verdict.op == "lif":
            assert (verdict.exactness, verdict.proven) == ("bounded", 0)
            assert "dynamics of its own" in verdict.reason


def test_a_decay_is_rounded_and_said_so() -> None:
    network = lowered("conv-chain", load_backend("numpy"), "lif", "integer")
    assert any("decay 0.9 rounded to 3686/4096" in note for note in network.notes)
    assert {node.op.decay for node in network.graph.of(LIF) if isinstance(node.op, LIF)} == {3686 / 4096}


def test_decay_one_is_code_if() -> None:
    """In whole numbers but for biases, whose equal parts are finer on the finer grid of a leaky neuron."""
    source = lowered("conv-chain", load_backend("numpy"), "if", "float").source
    plain = Conversion(CASES["conv-chain"](), source, Options(code="if", integer=False))
    leaky = Conversion(CASES["conv-chain"](), source, Options(code="lif", decay=1.0, integer=False))
    x = samples(plain.network)
    one, other = plain.simulate(x), leaky.simulate(x)
    assert one.spikes == other.spikes
    for name, counts in one.counts.items():
        np.testing.assert_array_equal(other.counts[name], counts)


# -- how they are asked for -----------------------------------------------------------------------------------------


def test_the_pass_prints_and_parses_its_leak() -> None:
    text = 'map-neurons{code="lif", decay=0.75, reset="zero"}'
    (step,) = parse_recipe(text)
    assert step == MapNeurons(code="lif", decay=0.75, reset="zero")
    assert print_recipe((step,)) == text
    assert parse_recipe('map-neurons{code="lif", decay=1}') == (MapNeurons(code="lif", decay=1.0),)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"code": "ladder", "steps": 2}, "steps: code ladder runs in one step"),
        ({"code": "ladder", "settle": 3}, "settle: code ladder is done after its one step"),
        ({"passes": 'map-neurons{code="ladder"}', "steps": 7}, "steps: code ladder runs in one step"),
        ({"code": "lif", "decay": 1.5}, "decay: a number from 0 to 1 expected, found 1.5"),
        ({"code": "lif", "reset": "none"}, "reset: subtract or zero expected, found 'none'"),
        ({"code": "if", "decay": 0.5}, "decay, reset: go with --code lif"),
        ({"reset": "zero"}, "decay, reset: go with --code lif"),
    ],
)
def test_what_a_code_cannot_do_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Options(**options)


def test_the_pass_refuses_the_same() -> None:
    with pytest.raises(UsageError, match="steps 1 expected, found 3"):
        MapNeurons(code="ladder", steps=3)
    with pytest.raises(UsageError, match="which alone leaks; found code st-bif"):
        MapNeurons(decay=0.5)


@pytest.mark.parametrize("name", ["loihi", "tianjic", "nir"])
@pytest.mark.parametrize("code", ["store-and-forward", "st-bif", "lif"])
def test_backends_refuse_codes_that_they_cannot_run(name: str, code: str) -> None:
    if (name, code) == ("loihi", "lif"):
        return
    with pytest.raises(BackendError, match=f"backend {name} cannot run code {code}; it runs: .*if$"):
        lowered("conv-chain", load_backend(name), code, "integer")


@pytest.mark.parametrize("steps", [1, 15])
def test_a_ladder_has_one_step_whatever_the_levels(steps: int) -> None:
    network = lowered("conv-chain", load_backend("numpy"), "ladder", "integer")
    assert (network.schedule.steps, network.schedule.settle) == (1, 0)
    assert settle_bound(network.graph, steps) == 0


@pytest.mark.parametrize("code", ["store-and-forward", "ladder", "lif"])
@pytest.mark.parametrize("arithmetic", ["integer", "float"])
def test_the_standalone_file_runs_as_the_reference(
    code: str, arithmetic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    made = lowered("residual-add-of-unequal-scales", TorchBackend(), code, arithmetic)
    x = samples(made)
    TorchBackend().emit(made, tmp_path)
    spec = importlib.util.spec_from_file_location("emitted", tmp_path / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "emitted", module)
    spec.loader.exec_module(module)
    net = module.Net.load(tmp_path)
    found = net(torch.from_numpy(x.astype(np.float64))).detach().numpy()
    expected = run(made.graph, x, made.schedule.steps, made.schedule.settle)
    np.testing.assert_allclose(found, expected.output, rtol=0, atol=1e-9)
    assert (net.steps, net.spikes) == (expected.steps, expected.spikes)
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(net.counts[name].numpy(), counts)


def test_signals_of_many_units_are_wider_than_a_byte() -> None:
    x = np.array([[1000, -1000, 300]])
    for lo, hi, kind in ((-100, 27, np.int8), (-100, 28, np.int16), (0, 1 << 15, np.int32)):
        op = whole(Ladder, 2, 0, lo=lo, hi=hi)
        from onnx2snn.backends.numpy.drive import Drive
        from onnx2snn.backends.numpy.populations import Population

        population = Population(op, np.dtype(np.int64), x.shape, 1)
        train = population.advance(Drive(x.dtype, 0, x[None]), 0, 1, 1)
        assert train.dtype == kind
        np.testing.assert_array_equal(train[0], np.clip(x // 2, lo, hi))
        assert population.spikes == int(np.abs(train).sum())


# -- deep networks --------------------------------------------------------------------------------------------------


def resnet(depth: int) -> Graph:
    """A CIFAR ResNet (6 n + 2 layers) with few channels, random weights, BatchNorm of both signs, and sums that join
    branches of unequal scales."""
    net = NetworkBuilder((3, 8, 8), seed=depth)
    net.quantise(1 / 15, 0, 15)
    start = block(net, net.last, 4, 1)
    for stage, width in enumerate((4, 8, 8)):
        for index in range((depth - 2) // 6):
            stride = 2 if stage and not index else 1
            inner = block(net, start, width, stride)
            outer = block(net, inner, width, 1, signed=True)
            same_shape = net.graph.shape(start) == net.graph.shape(outer)
            across = start if same_shape else block(net, start, width, stride, signed=True, kernel=1)
            net.add(Add(), outer, across)
            start = net.quantise(float(net.random.choice([0.25, 0.3125, 0.375])), relu=True)
    net.add(AveragePool(kernel=(2, 2), strides=(1, 1), pads=(0,) * 4, dilations=(1, 1)))
    net.dense(4)
    return net.done()


def block(net: NetworkBuilder, source: str, width: int, stride: int, signed: bool = False, kernel: int = 3) -> str:
    """A convolution with BatchNorm and a quantiser of its own scale."""
    net.conv(width, (kernel, kernel), source, strides=(stride, stride), pads=(kernel // 2,) * 4)
    net.batch_norm([float(g) for g in net.random.choice([-1, 1], width) * net.random.uniform(0.3, 1.0, width)])
    scale = float(net.random.choice([0.25, 0.3125, 0.375]))
    return net.quantise(scale, -4, 3) if signed else net.quantise(scale, 0, 7, relu=True)


@pytest.mark.parametrize("code", EXACT)
@pytest.mark.parametrize("depth", [20, 56])
def test_residual_networks_have_every_count(depth: int, code: str) -> None:
    trained = resnet(depth)
    stairs = run_passes(trained, STAIRCASES)
    steps = 1 if code == "ladder" else 7
    network = run_passes(stairs, (MapNeurons(code=code, steps=steps), MakeInteger(steps=steps)))
    assert len(network.of(Neuron)) > depth
    assert certify(stairs, network, steps).exact
    x = np.random.default_rng(0).random((2, 3, 8, 8))
    found = NumpySimulator(network, steps).run(x)
    same_counts(stairs, found.counts, x)
    busy = [name for name, counts in found.counts.items() if counts.any()]
    assert len(busy) > depth // 2  # the signal reaches the end
    if code != "st-bif":
        assert found.spikes == {name: int(np.abs(counts).sum()) for name, counts in found.counts.items()}
