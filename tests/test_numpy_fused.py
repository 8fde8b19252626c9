"""The compiled loop over neurons and ticks against NumPy, tick after tick: equal bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.backends.numpy import NumpySimulator, fused
from onnx2snn.backends.numpy.drive import Drive
from onnx2snn.backends.numpy.populations import Population
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import IF, LIF, STBIF, Neuron, SignedIF, StoreAndForward
from onnx2snn.plugins import load_backend
from onnx2snn.reference import part
from onnx2snn.testing.conformance import lowered, samples

numba = pytest.importorskip("numba", reason="the compiled loop takes numba (extra fast)", exc_type=ImportError)

KINDS = {"float32": True, "float64": True, "int64": True, "real": False}  #: and whether neurons are integer
CODES: dict[str, tuple[type[Neuron], dict[str, Any]]] = {
    "if": (IF, {}),
    "signed-if": (SignedIF, {"lo": -2}),
    "lif": (LIF, {"decay": 3686 / 4096}),
    "lif, reset to zero": (LIF, {"decay": 2049 / 4096, "reset": "zero"}),
    "st-bif": (STBIF, {"lo": -3, "hi": 4}),
    "st-bif, ties to even": (STBIF, {"lo": -3, "hi": 4, "ties": "even"}),
    "st-bif, no end": (STBIF, {"lo": -(2**40), "hi": 2**40}),
    "store-and-forward": (StoreAndForward, {"lo": -3, "hi": 4, "opens": 5}),
    "store-and-forward, ties to even": (StoreAndForward, {"lo": -3, "hi": 4, "opens": 5, "ties": "even"}),
}


def both(op: Neuron, number: np.dtype[Any], shape: tuple[int, ...], most: int) -> tuple[Population, Population]:
    """The same population in the compiled loop and in NumPy."""
    from onnx2snn.backends.numpy.compiled import advance

    return Population(op, number, shape, most, loop=advance), Population(op, number, shape, most)


def same(found: Population, expected: Population, train: Array, expected_train: Array) -> None:
    assert train.dtype == expected_train.dtype
    np.testing.assert_array_equal(train, expected_train)
    np.testing.assert_array_equal(found.counts, expected.counts)
    assert found.v.tobytes() == expected.v.tobytes()
    assert (found.spikes, found.last, found.silent) == (expected.spikes, expected.last, expected.silent)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", CODES)
@settings(max_examples=12)
@given(data=st.data())
def test_the_compiled_loop_gives_what_numpy_gives(code: str, kind: str, data: st.DataObject) -> None:
    draw = data.draw
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = np.dtype(np.float64 if kind == "real" else kind)
    features = draw(st.sampled_from([(3,), (2, 2, 3), (2500,), (3, 30, 30)]))
    batch, steps = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    whole = KINDS[kind]

    def array(low: int, high: int, shape: tuple[int, ...]) -> Array:
        return random.integers(low, high, shape) if whole else random.uniform(low, high, shape)

    shape = draw(st.sampled_from([(), (features[0], *(1,) * (len(features) - 1)), features]))
    numbers = {name: array(low, high, shape) for name, low, high in (("theta", 1, 9), ("v0", -4, 9), ("bias", -9, 9))}
    op_type, options = CODES[code]
    op = op_type(**numbers, value=np.ones((), np.int64 if whole else np.float64), **options)
    blocks = [(0, cut := draw(st.integers(1, 8))), (cut, cut + draw(st.integers(1, 30)))]
    still = array(-20, 40, (batch, *features)) + op.bias if draw(st.booleans()) else op.bias
    parts = tuple(part(still, tick, steps).astype(number) for tick in range(min(2, steps)))
    least = draw(st.sampled_from([0, 12, 1000]))
    ours, theirs = both(op, number, (batch, *features), blocks[-1][1])
    for first, stop in blocks:
        arrived = draw(st.integers(0, stop - first))
        signal = array(-6, 9, (arrived, batch, *features))
        if draw(st.booleans()) and whole:
            signal = signal.astype(np.int8)
        if draw(st.booleans()):
            signal = np.asfortranarray(signal)
        values = signal.astype(number) if not whole else signal
        drive = Drive(
            number, first, values if arrived else None, draw(st.sampled_from([1, 4])) if whole else 1, parts, steps
        )
        trains = [population.advance(drive, first, stop, least) for population in (ours, theirs)]
        same(ours, theirs, *trains)


def test_a_tracer_of_more_than_sixteen_bits() -> None:
    steps, number = 40_000, np.dtype(np.float64)
    op = STBIF(theta=np.asarray(1), v0=np.asarray(0), bias=np.asarray(0), value=np.asarray(1), lo=0, hi=2**16)
    drive = Drive(number, 0, parts=(np.ones((1, 2)),), ends=steps)
    ours, theirs = both(op, number, (1, 2), steps)
    same(ours, theirs, *(population.advance(drive, 0, steps, steps) for population in (ours, theirs)))
    assert ours.counts.max() == steps


@pytest.mark.parametrize("arithmetic", ["integer", "float"])
@pytest.mark.parametrize("code", ["if", "signed-if", "lif", "st-bif", "store-and-forward"])
@pytest.mark.parametrize("case", ["conv-chain", "max-pool-later"])
def test_whole_networks(case: str, code: str, arithmetic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = lowered(case, load_backend("numpy"), code, arithmetic)
    found = []
    for switch in "10":
        monkeypatch.setenv(fused.SWITCH, switch)
        simulator = NumpySimulator(network.graph, network.schedule.steps, network.schedule.settle)
        simulator.ticks = 3
        found.append(simulator.run(samples(network)))
    ours, theirs = found
    assert (ours.steps, ours.spikes) == (theirs.steps, theirs.spikes)
    np.testing.assert_array_equal(ours.output, theirs.output)
    for name, counts in theirs.counts.items():
        np.testing.assert_array_equal(ours.counts[name], counts)


def test_when_the_loop_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, fused.MODULE, raising=False)
    monkeypatch.delenv(fused.SWITCH, raising=False)
    assert fused.loop(fused.WORTH - 1) is None
    monkeypatch.setenv(fused.SWITCH, "0")
    assert fused.loop(fused.WORTH) is None
    monkeypatch.setitem(sys.modules, "numba", None)  # as if it were not installed
    monkeypatch.setenv(fused.SWITCH, "1")
    assert fused.loop(fused.WORTH) is None
    monkeypatch.undo()
    monkeypatch.delenv(fused.SWITCH, raising=False)
    assert fused.loop(fused.WORTH) is not None
    assert fused.loop(1) is not None  # it is there already


def test_small_runs_do_not_load_numba() -> None:
    code = """
import sys
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.plugins import load_backend
from onnx2snn.testing.conformance import lowered, samples
network = lowered("conv-chain", load_backend("numpy"), "st-bif", "integer")
NumpySimulator(network.graph, network.schedule.steps).run(samples(network))
print("numba" in sys.modules)
"""
    environment = {name: value for name, value in os.environ.items() if name != fused.SWITCH}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.split() == ["False"]
