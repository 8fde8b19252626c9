"""Leaky neurons with a synaptic current: every simulator does what two lines of arithmetic say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emitted_model import emitted_model
from hypothesis import example, given
from hypothesis import strategies as st

from onnx2snn.analysis.lattice import lattices
from onnx2snn.analysis.registers import membrane_bits
from onnx2snn.analysis.widths import widths
from onnx2snn.artifact import Network
from onnx2snn.backends.numpy import NumpySimulator, fused
from onnx2snn.backends.torch import TorchBackend
from onnx2snn.ir import Graph, parse_graph, print_graph
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import LIF, Dense, Encoder, Input, Readout
from onnx2snn.passes import MakeInteger, run_passes
from onnx2snn.plugins import load_backend
from onnx2snn.reference import Run, neurons, run, trace
from onnx2snn.testing.conformance import lowered, samples

SETTLES = (None, 0, 3)
#: whole numbers or real ones, decay, decay of the current, inject steps, settle steps
RUNS = (st.booleans(), st.integers(0, 4096), st.integers(1, 4096), st.sampled_from([1, 2, 5]), st.sampled_from(SETTLES))


def cut(value: int, decay: int) -> int:
    return (abs(value) * decay // 4096) * (1 if value > 0 else -1)


def whole(theta: int, v0: int = 0, **rest: Any) -> LIF:
    one = np.asarray(1)
    return LIF(theta=theta * one, v0=v0 * one, bias=0 * one, value=one, **rest)


def real(decay: float, current_decay: float, theta: float = 1.0, reset: Any = "subtract") -> LIF:
    arrays = {"theta": np.asarray(theta), "v0": np.zeros(()), "bias": np.zeros(()), "value": np.ones(())}
    return LIF(**arrays, decay=decay, current_decay=current_decay, reset=reset)


def with_currents(network: Network, current_decay: float) -> Network:
    """The network with a synaptic current in every population, each keeping less than the one before."""
    graph = network.graph.copy()
    for k, node in enumerate(graph.of(LIF)):
        assert isinstance(node.op, LIF)
        kept = round(current_decay * 4096 / (k + 1)) / 4096
        graph.replace(node.name, replace(node.op, current_decay=kept))
    return replace(network, graph=graph)


def same(found: Run, expected: Run) -> None:
    assert (found.steps, found.spikes) == (expected.steps, expected.spikes)
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[name], counts, err_msg=name)
    np.testing.assert_allclose(found.output, expected.output, rtol=1e-9, atol=1e-9)


def random_network(seed: int, integer: bool, decay: int, current_decay: int) -> Graph:
    """Two dense layers of neurons with a current, of whole or real random numbers."""
    random, graph = np.random.default_rng(seed), Graph()

    def numbers(low: int, high: int, *shape: int) -> Array:
        drawn = random.integers(low, high, shape)
        return drawn if integer else drawn + random.normal(0, 0.1, shape)

    def fire(source: str) -> str:
        (features,) = graph.shape(source)
        op = LIF(
            theta=numbers(5, 60, features),
            v0=numbers(-9, 9, features),
            bias=numbers(-40, 40, features),
            value=np.asarray(1 if integer else 0.7),
            shift=int(random.integers(0, 3)) if integer else 0,
            decay=decay / 4096,
            current_decay=current_decay / 4096,
            reset="zero" if random.random() < 0.5 else "subtract",
            steady=current_decay < 4096 and random.random() < 0.5,
        )
        return graph.add(graph.fresh("n"), op, [source])

    at = graph.add("x", Input(shape=(4,)))
    value = np.asarray(1 if integer else 0.5)
    at = graph.add("q", Encoder(scale=np.asarray(0.1), lo=-3, hi=9, rounding="half-up", value=value), [at])
    for inside, outside in ((4, 6), (6, 5)):
        at = graph.add(graph.fresh("d"), Dense(weight=numbers(-9, 12, outside, inside)), [at])
        at = fire(at)
    graph.outputs = (graph.add("out", Readout(scale=np.ones(5), bias=np.zeros(5)), [at]),)
    return graph


# -- by definition --------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 60),
    st.integers(-60, 60),
    st.integers(0, 4096),
    st.integers(0, 4096),
    st.sampled_from(["subtract", "zero"]),
    st.integers(0, 99),
)
def test_both_registers_are_cut_toward_zero(
    theta: int, v0: int, decay: int, current_decay: int, reset: Any, seed: int
) -> None:
    op = whole(theta, v0, decay=decay / 4096, current_decay=current_decay / 4096, reset=reset)
    charges = np.random.default_rng(seed).integers(-30, 50, (9, 1))
    state, v, current = neurons.start(op, (1,)), v0, 0
    for (charge,) in charges.tolist():
        current = cut(current, current_decay) + charge
        v = cut(v, decay) + current
        spike = int(v >= theta)
        v = 0 if spike and reset == "zero" else v - theta * spike
        assert neurons.step(op, state, np.array([charge])).tolist() == [spike]
        assert (state.v.tolist(), state.current.tolist()) == ([v], [current])


@given(st.integers(-60, 60), st.integers(-99, 99), st.integers(0, 4096), st.integers(0, 4095), st.integers(0, 99))
def test_a_steady_current_moves_to_what_is_constant(v0: int, k: int, decay: int, current_decay: int, seed: int) -> None:
    op = whole(99, v0, decay=decay / 4096, current_decay=current_decay / 4096, steady=True)
    arriving = np.random.default_rng(seed).integers(-30, 50, (9, 1))
    state, v, distance = neurons.start(op, (1,)), v0, -k
    for (charge,) in arriving.tolist():
        distance = cut(distance, current_decay) + charge
        v = cut(v, decay) + distance + k
        spike = int(v >= 99)
        v -= 99 * spike
        assert neurons.step(op, state, np.array([charge + k]), np.array([k])).tolist() == [spike]
        assert (state.v.tolist(), state.current.tolist()) == ([v], [distance + k])


def test_a_steady_current_in_real_numbers_is_a_part_of_it_at_every_step() -> None:
    steady, plain = (replace(real(0.9, 0.8), steady=steady) for steady in (True, False))
    one, other = neurons.start(steady, (1,)), neurons.start(plain, (1,))
    for _ in range(30):
        found = neurons.step(steady, one, np.array([0.5]), np.array([0.5]))
        assert found == neurons.step(plain, other, np.array([0.5 * (1 - 0.8)]))
        assert one.v == pytest.approx(other.v)
    assert one.spikes > 3


def test_one_unit_of_charge_comes_as_a_difference_of_exponentials() -> None:
    op = real(0.9, 0.5, theta=100.0)
    state = neurons.start(op, (1,))
    for tick in range(12):
        neurons.step(op, state, np.array([1.0 if tick == 0 else 0.0]))
        expected = (0.9 ** (tick + 1) - 0.5 ** (tick + 1)) / (0.9 - 0.5)
        assert state.v == pytest.approx(expected)


def test_the_text_form_says_a_current_only_where_there_is_one() -> None:
    def text(op: LIF) -> str:
        graph = Graph()
        graph.add("x", Input(shape=(2,)))
        graph.outputs = (graph.add("n", op, ["x"]),)
        assert parse_graph(print_graph(graph)).equal(graph)
        return print_graph(graph)

    assert "current_decay" not in text(real(0.5, 0.0))
    assert "decay=0.5, current_decay=0.25}" in text(real(0.5, 0.25))


# -- simulators -----------------------------------------------------------------------------------------------------


@given(*RUNS, st.integers(1, 9), st.integers(0, 999))
def test_numpy_runs_as_the_reference(
    integer: bool, decay: int, current_decay: int, steps: int, settle: int | None, ticks: int, seed: int
) -> None:
    graph = random_network(seed, integer, decay, current_decay)
    x = np.random.default_rng(seed).uniform(-0.5, 1.2, (3, 4))
    simulator = NumpySimulator(graph, steps, settle)
    simulator.ticks = ticks
    same(simulator.run(x), run(graph, x, steps, settle))


@given(*RUNS, st.integers(0, 999))
def test_torch_runs_as_the_reference(
    integer: bool, decay: int, current_decay: int, steps: int, settle: int | None, seed: int
) -> None:
    torch = pytest.importorskip("torch")
    from onnx2snn.backends.torch import build

    graph = random_network(seed, integer, decay, current_decay)
    x = np.random.default_rng(seed).uniform(-0.5, 1.2, (3, 4))
    module, expected = build(graph, steps, settle), run(graph, x, steps, settle)
    with torch.inference_mode():
        output = module(torch.from_numpy(x))
    counts = {name: found.numpy() for name, found in module.counts.items()}
    same(Run((output.numpy(),), module.steps, counts, module.spikes), expected)


@pytest.mark.parametrize("settle", SETTLES)
@pytest.mark.parametrize("arithmetic", ["integer", "float"])
def test_numpy_with_and_without_the_compiled_loop(
    arithmetic: str, settle: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = with_currents(lowered("conv-chain", load_backend("numpy"), "lif", arithmetic), 0.7)
    x = samples(made)
    for switch in "10":
        monkeypatch.setenv(fused.SWITCH, switch)
        found = NumpySimulator(made.graph, made.schedule.steps, settle).run(x)
        same(found, run(made.graph, x, made.schedule.steps, settle))


@pytest.mark.parametrize("arithmetic", ["integer", "float"])
def test_the_standalone_file(arithmetic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    made = with_currents(lowered("residual-add-of-unequal-scales", TorchBackend(), "lif", arithmetic), 0.7)
    x = samples(made)
    TorchBackend().emit(made, tmp_path)
    net = emitted_model(tmp_path, monkeypatch).Net.load(tmp_path)
    output = net(torch.from_numpy(x.astype(np.float64))).detach().numpy()
    counts = {name: found.numpy() for name, found in net.counts.items()}
    expected = run(made.graph, x, made.schedule.steps, made.schedule.settle)
    plain = lowered("residual-add-of-unequal-scales", TorchBackend(), "lif", arithmetic)
    assert expected.spikes != run(plain.graph, x, plain.schedule.steps, plain.schedule.settle).spikes
    same(Run((output,), net.steps, counts, net.spikes), expected)


def test_gradients_reach_what_came_before_the_current() -> None:
    torch = pytest.importorskip("torch")
    from onnx2snn.backends.torch import build

    graph = random_network(3, False, 3000, 2000)
    module = build(graph, 4, 0)
    module(torch.rand(5, 4, dtype=torch.float64)).sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for n, p in module.named_parameters() if n.endswith("theta"))


def test_a_neuron_that_was_silent_for_a_step_may_fire_after_it() -> None:
    """Charge 10 in the first step: v is 10, 15, 17.5 ...: over 16 two steps after the last input."""
    graph = Graph()
    graph.add("x", Input(shape=(1,)))
    graph.add("n", real(1.0, 0.5, theta=16.0), ["x"])
    graph.outputs = (graph.add("out", Readout(scale=np.ones(1), bias=np.zeros(1)), ["n"]),)
    x, torch = np.array([[10.0]]), pytest.importorskip("torch")
    from onnx2snn.backends.torch import build

    expected = run(graph, x, 1, 4)
    assert (expected.counts["n"].item(), run(graph, x, 1, 1).counts["n"].item()) == (1, 0)
    same(NumpySimulator(graph, 1, 4).run(x), expected)
    assert build(graph, 1, 4)(torch.from_numpy(x)).item() == 1
    trailing = trace(graph, x, 1, 4)
    assert trailing.currents["n"].ravel().tolist() == [10.0, 5.0, 2.5, 1.25, 0.625]
    assert trailing.spikes["n"].ravel().tolist() == [0, 0, 1, 0, 0]


# -- whole numbers --------------------------------------------------------------------------------------------------


@given(st.integers(0, 4096), st.integers(0, 4096), st.sampled_from([1, 3, 9]), st.integers(0, 999))
@example(4096, 4096, 1, 0)
@example(4096, 4000, 3, 1)
def test_no_register_overflows_the_width_that_is_said(decay: int, current_decay: int, steps: int, seed: int) -> None:
    graph = random_network(seed, True, decay, current_decay)
    x = np.random.default_rng(seed).choice([-9.0, 9.0], (1, 4))
    ticks = steps + 40
    found, bits, places = trace(graph, x, steps, 40), widths(graph, ticks), lattices(graph, ticks)
    for node in graph.of(LIF):
        assert isinstance(node.op, LIF)
        register = membrane_bits(node.op, places[node.inputs[0]], ticks)
        for values in (found.membranes, found.peaks, found.currents):
            least, most = int(values[node.name].min()), int(values[node.name].max())
            assert -(1 << (register - 1)) <= least
            assert most < 1 << (register - 1)
            assert max(-least, most) < 1 << bits[node.name]


def test_whole_numbers_round_both_decays() -> None:
    graph = random_network(5, False, 4000, 1000)
    for node in graph.of(LIF):
        assert isinstance(node.op, LIF)
        graph.replace(node.name, replace(node.op, decay=0.9, current_decay=0.3))
    notes: list[str] = []
    made = run_passes(graph, (MakeInteger(steps=8, timed=True),), lambda _s, _g, reasons: notes.extend(reasons))
    assert [node.op.decays for node in made.of(LIF) if isinstance(node.op, LIF)] == [
        {"decay": 3686 / 4096, "current_decay": 1229 / 4096}
    ] * 2
    assert sum("current_decay 0.3 rounded to 1229/4096" in note for note in notes) == 2
