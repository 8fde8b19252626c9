"""A trace is the run itself, tick by tick."""

from __future__ import annotations

import numpy as np
import pytest

from onnx2snn.errors import GraphError
from onnx2snn.ir.ops import Neuron
from onnx2snn.plugins import load_backend
from onnx2snn.reference import run, trace
from onnx2snn.testing import CASES
from onnx2snn.testing.conformance import lowered, samples

CODES = ("if", "signed-if", "lif", "st-bif", "store-and-forward", "ladder")
EXACT = CODES[3:]


@pytest.mark.parametrize("arithmetic", ["integer", "float"])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("case", CASES)
def test_a_trace_adds_up_to_the_run(case: str, code: str, arithmetic: str) -> None:
    if code not in EXACT and case in ("signed-counts", "quantised-output"):
        pytest.skip("counts below zero take an exact code")
    network = lowered(case, load_backend("numpy"), code, arithmetic)
    x, schedule = samples(network)[:1], network.schedule
    expected = run(network.graph, x, schedule.steps, schedule.settle)
    found = trace(network.graph, x, schedule.steps, schedule.settle)
    assert set(found.spikes) == set(found.membranes) == set(network.neurons)
    assert found.run.steps == expected.steps
    for name in network.neurons:
        shape = (expected.steps, *network.graph.shape(name))
        assert found.spikes[name].shape == found.membranes[name].shape == shape
        np.testing.assert_array_equal(found.spikes[name].sum(axis=0), expected.counts[name][0])
        op = network.graph[name].op
        assert isinstance(op, Neuron)
        fallen = found.peaks[name] - found.membranes[name]
        np.testing.assert_allclose(fallen, op.theta * found.spikes[name], rtol=1e-9, atol=1e-9)
        assert np.abs(found.spikes[name]).sum() == expected.spikes[name]
    for ours, theirs in zip(found.run.outputs, expected.outputs, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_charge_is_conserved_at_every_tick() -> None:
    """A first layer whose input is constant gets the same charge at every inject step, none afterwards."""
    network = lowered("conv-chain", load_backend("numpy"), "st-bif", "float")
    name, steps = network.neurons[0], network.schedule.steps
    op = network.graph[name].op
    assert isinstance(op, Neuron)
    found = trace(network.graph, samples(network)[:1], steps, None)
    before = np.concatenate([np.broadcast_to(op.v0, found.membranes[name][:1].shape), found.membranes[name][:-1]])
    charge = found.membranes[name] - before + op.theta * found.spikes[name]
    assert found.run.steps > steps  # the layers after it need to settle
    np.testing.assert_allclose(charge[:steps], np.broadcast_to(charge[0], charge[:steps].shape), atol=1e-9)
    np.testing.assert_allclose(charge[steps:], 0, atol=1e-9)


def test_chosen_neurons_alone() -> None:
    network = lowered("conv-chain", load_backend("numpy"), "st-bif", "integer")
    x, name = samples(network)[:1], network.neurons[-1]
    whole = trace(network.graph, x, network.schedule.steps)
    picked = np.array([3, 0])
    part = trace(network.graph, x, network.schedule.steps, chosen={name: picked})
    assert list(part.spikes) == [name]
    for ours, theirs in ((part.spikes, whole.spikes), (part.membranes, whole.membranes)):
        np.testing.assert_array_equal(ours[name], theirs[name].reshape(len(theirs[name]), -1)[:, picked])


def test_what_cannot_be_traced() -> None:
    network = lowered("conv-chain", load_backend("numpy"), "st-bif", "integer")
    x = samples(network)
    with pytest.raises(GraphError, match="one sample expected, found 6"):
        trace(network.graph, x, 4)
    with pytest.raises(GraphError, match="a neuron population expected, found 'nobody'; there are: "):
        trace(network.graph, x[:1], 4, chosen={"nobody": np.zeros(1, int)})
