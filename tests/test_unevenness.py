"""What a code that depends on the order of arrival can be off by: nothing found is further off than what is proven."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from onnx2snn.analysis.certificate import certify
from onnx2snn.analysis.unevenness import Arrivals, Spread, spread, steady
from onnx2snn.artifact import Schedule
from onnx2snn.errors import PassError
from onnx2snn.flow.verification.diagnose import Measure
from onnx2snn.flow.verification.reference import exact_counts
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import IF, STBIF, Dense, Encoder, Input, Neuron, Readout, SignedIF
from onnx2snn.passes import STAIRCASES, MakeInteger, MapNeurons, run_passes
from onnx2snn.reference import neurons, part
from onnx2snn.testing.strategies import inputs, networks

Draw = Callable[[st.SearchStrategy[Any]], Any]
CODES = ("if", "signed-if", "st-bif")


def neuron(code: str, theta: Array, v0: Array, bias: Array, low: int, high: int, ties: Any = "up") -> Neuron:
    rest: dict[str, Any] = {"theta": theta, "v0": v0, "bias": bias, "value": np.asarray(1), "ties": ties}
    if code == "if":
        return IF(**rest)
    return SignedIF(lo=low, **rest) if code == "signed-if" else STBIF(lo=low, hi=high, **rest)


def two_layers(first: Neuron, weight: Array, second: Neuron) -> Graph:
    """Input, a population, a synapse, and the population that is looked at."""
    graph = Graph("net")
    size = weight.shape[1]
    at = graph.add("x", Input(shape=(size,)))
    at = graph.add("q", Encoder(scale=np.ones(()), lo=0, hi=7, value=np.asarray(1)), [at])
    at = graph.add("fc1", Dense(weight=np.eye(size, dtype=np.int64)), [at])
    at = graph.add("a", first, [at])
    at = graph.add("fc2", Dense(weight=weight), [at])
    at = graph.add("b", second, [at])
    graph.outputs = (graph.add("out", Readout(scale=np.ones(()), bias=np.zeros(())), [at]),)
    return graph


def trains(draw: Draw, code: str, size: int, ticks: int, low: int, high: int, helps: Array) -> Array:
    """Spikes (ticks, size) that a population of this code may send: net counts within [low, high], never below low.

    Half of them come in an order made to mislead: what helps the reader first, what hurts it last, or the reverse.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    how = draw(st.sampled_from(["random", "helping first", "helping last", "back and forth"]))
    event(how)
    sent = np.zeros((ticks, size), np.int64)
    for i in range(size):
        count = int(rng.integers(low, high + 1)) if rng.random() < 0.5 else (high if rng.random() < 0.7 else low)
        count = int(np.clip(count, -ticks, ticks))
        extra = 0 if code == "if" or how == "helping first" else int(rng.integers(0, (ticks - abs(count)) // 2 + 1))
        spikes = [int(np.sign(count))] * abs(count) + [1, -1] * extra
        if how == "random":
            places = rng.permutation(ticks)[: len(spikes)]
        else:
            early = (helps[i] > 0) == (how == "helping first")
            places = np.arange(len(spikes)) if early else np.arange(ticks - len(spikes), ticks)
            if how == "back and forth":
                spikes = sorted(spikes, reverse=bool(helps[i] > 0))
        for place, spike in zip(sorted(places), spikes, strict=True):
            sent[place, i] = spike
    allowed = sent.cumsum(axis=0).min(axis=0, initial=0) >= low
    return np.where(allowed, sent, np.clip(np.abs(sent), 0, None) * (np.abs(sent).sum(axis=0) <= high))


@given(st.data())
def test_no_train_leads_further_astray(data: st.DataObject) -> None:
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size, reach = draw(st.integers(1, 5)), draw(st.sampled_from([1, 3, 8]))
    weight = rng.integers(draw(st.sampled_from([-reach, 0])), reach + 1, (2, size))
    steps, settle = draw(st.integers(1, 12)), draw(st.integers(0, 6))
    ticks = steps + settle
    before, code = draw(st.sampled_from(CODES)), draw(st.sampled_from(CODES))
    low_a = 0 if before == "if" else -int(rng.integers(0, 4))
    low_b = 0 if code == "if" else -int(rng.integers(0, 4))
    high_a, high_b = (int(n) for n in rng.integers(1, steps + 1, 2))
    theta = rng.integers(1, draw(st.sampled_from([2, 12, 60])) + 1, 2)
    v0, bias = rng.integers(0, theta), rng.integers(-10, 11, 2)
    ties = draw(st.sampled_from(["up", "even"])) if code == "st-bif" else "up"
    op = neuron(code, theta, v0, bias, low_b, high_b, ties)
    graph = two_layers(neuron(before, np.asarray(3), np.asarray(1), np.asarray(0), low_a, high_a), weight, op)
    arrivals = Arrivals(graph, steps, ticks, {"a": (low_a, high_a), "b": (low_b, high_b)})
    arrival = arrivals.of(graph["b"])
    assert arrival is not None
    found = spread(op, arrival, (low_b, high_b), ticks)
    assert found is not None
    sent = trains(draw, before, size, ticks, low_a, high_a, weight[0])
    check(op, [sent[t] @ weight.T for t in range(ticks)], bias, steps, (low_b, high_b), found)


def check(op: Neuron, currents: list[Array], bias: Array, steps: int, counts: tuple[int, int], found: Spread) -> None:
    """Runs one population on these currents and compares its counts with those of the whole charge."""
    state = neurons.start(op, (1, 2))
    for tick, current in enumerate(currents):
        neurons.step(op, state, current[None] + part(bias, tick, steps))
    charge = sum(currents) + bias + op.v0
    rest = charge // op.theta
    if op.ties == "even":
        rest = rest - ((rest % 2 == 1) & (charge == rest * op.theta))
    error = state.n[0] - np.clip(rest, *counts)
    ahead, behind = (np.broadcast_to(a, (2,)) for a in (found.ahead, found.behind))
    event("as far off as proven" if ((error == ahead) | (-error == behind)).any() else "nearer than proven")
    event("some are proven exact" if ((ahead == 0) & (behind == 0)).any() else "none is proven exact")
    assert (error <= ahead).all(), (error, ahead)
    assert (-error <= behind).all(), (error, behind)


@given(st.data())
def test_constant_charge_is_climbed_exactly(data: st.DataObject) -> None:
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    code = draw(st.sampled_from(CODES))
    high, low = draw(st.integers(1, 9)), 0 if code == "if" else -draw(st.integers(0, 5))
    steps, settle = draw(st.integers(1, 12)), draw(st.integers(0, 6))
    ticks = steps + settle
    weight, bias = rng.integers(-6, 7, (2, 3)), rng.integers(-20, 21, 2)
    theta = rng.integers(1, draw(st.sampled_from([2, 12, 60])) + 1, 2)
    ties = draw(st.sampled_from(["up", "even"])) if code == "st-bif" else "up"
    op = neuron(code, theta, rng.integers(0, theta), bias, low, high, ties)
    graph = Graph("net")
    graph.add("x", Input(shape=(3,)))
    graph.add("q", Encoder(scale=np.ones(()), lo=0, hi=7, value=np.asarray(1)), ["x"])
    graph.add("fc", Dense(weight=weight), ["q"])
    graph.add("b", op, ["fc"])
    graph.outputs = (graph.add("out", Readout(scale=np.ones(()), bias=np.zeros(())), ["b"]),)
    arrival = Arrivals(graph, steps, ticks, {"b": (low, high)}).of(graph["b"])
    assert arrival is not None
    found = steady(op, arrival, (low, high), steps, ticks)
    assume(found is not None)
    assert found is not None
    total = weight @ rng.integers(0, 8, 3) + bias
    currents = [part(total, tick, steps) for tick in range(ticks)]
    check(op, [c - part(bias, t, steps) for t, c in enumerate(currents)], bias, steps, (low, high), found)
    assert not found.behind.any()


@given(st.data())
def test_on_networks_a_population_alone_keeps_its_bound(data: st.DataObject) -> None:
    trained = data.draw(networks())
    stairs = run_passes(trained, STAIRCASES)
    code, steps = data.draw(st.sampled_from(CODES)), data.draw(st.integers(1, 16))
    try:
        network = run_passes(stairs, (MapNeurons(code=code, steps=steps), MakeInteger(steps=steps)))
    except PassError:
        assume(False)
        raise
    settle = data.draw(st.integers(0, 20))
    certificate = certify(stairs, network, steps, settle)
    measure, x = Measure(stairs, network, Schedule(steps, settle)), data.draw(inputs(trained))
    model = exact_counts(stairs, x)
    alone, _ = measure.run(x, measure.forced(model))
    for name, population in measure.populations.items():
        verdict = certificate[name]
        if population.worth != 1 or population.climbed.hi > steps:
            continue  # fed over more steps than the schedule has
        error = int(np.abs(population.levels(alone[name]) - model[name]).max())
        event(f"{verdict.exactness}, {'no bound' if 'no upper' in verdict.reason else 'bound'}")
        assert error <= verdict.bound, (name, verdict)
    if certificate.exact:
        found, _ = measure.run(x)
        for name, population in measure.populations.items():
            np.testing.assert_array_equal(population.levels(found[name]), model[name])


@pytest.mark.parametrize(
    ("code", "weights", "theta", "ahead", "behind"),
    [
        ("if", [1, 1], 4, 0, 0),  # no tick brings more than a threshold, and nothing is ever taken away
        ("if", [8, 0], 4, 0, 4),  # two thresholds a tick: half of eight are owed at the end
        ("if", [4, -4], 4, 3, 0),  # it fires in the first tick, and a threshold is taken away in each of the others
        ("signed-if", [4, -4], 4, 0, 0),  # ... and taken back in the same tick
        ("signed-if", [4, -8], 4, 4, 0),  # two thresholds may be taken away in a tick, and one is taken back
        ("st-bif", [1, 1], 4, 0, 0),
    ],
)
def test_bounds_by_hand(code: str, weights: list[int], theta: int, ahead: int, behind: int) -> None:
    op = neuron(code, np.array([theta]), np.array([theta // 2]), np.array([0]), 0, 4)
    first = neuron("if", np.asarray(3), np.asarray(1), np.asarray(0), 0, 4)
    graph = two_layers(first, np.array([weights]), op)
    arrival = Arrivals(graph, 4, 4, {"a": (0, 4), "b": (0, 4)}).of(graph["b"])
    assert arrival is not None
    found = spread(op, arrival, (0, 4), 4)
    assert found is not None
    assert (int(found.ahead.max()), int(found.behind.max())) == (ahead, behind)
