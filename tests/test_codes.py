"""Whole networks in each code: counts, certificates, depth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onnx2snn.analysis.certificate import certify
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.errors import PassError
from onnx2snn.flow.conversion.convert import Conversion
from onnx2snn.flow.conversion.options import Options
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import LIF, Add, AveragePool, Neuron, Staircase, StoreAndForward
from onnx2snn.passes import STAIRCASES, MakeInteger, MapNeurons, run_passes
from onnx2snn.plugins import load_backend
from onnx2snn.reference import counts_of, evaluate, run, settle_bound
from onnx2snn.testing import CASES
from onnx2snn.testing.cases import NetworkBuilder
from onnx2snn.testing.conformance import lowered, samples
from onnx2snn.testing.strategies import inputs, networks

EXACT = ("st-bif", "store-and-forward", "ladder")
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
