"""Initial membranes found in a run before the run (code `if`)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from command import one_line, onnx2snn
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn import convert
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.backends.numpy.offset_spikes import calibrated
from onnx2snn.errors import BackendError
from onnx2snn.flow.verification.reference import exact_counts
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import IF
from onnx2snn.passes import run_passes
from onnx2snn.passes.text import parse_recipe

DEMO = Path(str(files("onnx2snn"))) / "demo"
MODEL, DATA = DEMO / "digits.onnx", DEMO / "digits.npz"


def neuron(theta: int, integer: bool) -> IF:
    kind = np.int64 if integer else np.float64
    one, none = np.ones((), kind), np.zeros((), kind)
    return IF(theta=theta * one, v0=np.asarray(theta // 2, kind), bias=none, value=one)


def counted(start: Array, theta: int, currents: Array) -> Array:
    v, n = start.copy(), np.zeros(start.shape, int)
    for current in currents:
        v = v + current
        fired = v >= theta
        v, n = v - theta * fired, n + fired
    return n


@given(st.integers(2, 50), st.integers(1, 12), st.booleans(), st.integers(0, 2**32 - 1))
def test_counts_fit_the_charge_however_unevenly_it_comes(theta: int, steps: int, integer: bool, seed: int) -> None:
    op, rng = neuron(theta, integer), np.random.default_rng(seed)
    currents = rng.integers(-theta, 2 * theta, (steps, 1, 300))
    if not integer:
        currents = currents + rng.uniform(-0.4, 0.4, currents.shape)
    kind = np.dtype(np.int64 if integer else np.float64)
    start, train = calibrated(op, kind, lambda tick: currents[tick], (1, 300), steps)
    wanted = np.clip(np.floor((theta // 2 + currents.sum(axis=0)) / theta), 0, steps)
    np.testing.assert_array_equal(train.sum(axis=0), counted(start, theta, currents))
    before = (counted(np.full((1, 300), theta // 2), theta, currents) != wanted).sum()
    after = (train.sum(axis=0) != wanted).sum()
    assert after <= before * 0.2


def test_constant_input_needs_no_correction() -> None:
    op = neuron(10, integer=True)
    current = np.arange(-12, 25)[None]
    start, _ = calibrated(op, np.dtype(np.int64), lambda tick: current, current.shape, 7)
    assert (start == 5).all()


@pytest.mark.parametrize("integer", [True, False])
def test_counts_of_a_network_come_nearer_to_the_models(integer: bool) -> None:
    with np.load(DATA) as data:
        x = data["x"][:80]
    network = convert(MODEL, code="if", integer=integer).network
    reference = run_passes(convert(MODEL).ann, parse_recipe(network.staircase_passes))
    truth = exact_counts(reference, x)
    wrong: dict[int, int] = {}
    for before in (0, 15):
        run = NumpySimulator(network.graph, 15, 0, before).run(x)
        assert run.steps == 15 + before
        wrong[before] = sum(int((run.counts[name] != truth[name]).sum()) for name in network.neurons)
    assert wrong[15] < 0.2 * wrong[0]


def test_the_artifact_says_and_runs_it(tmp_path: Path) -> None:
    out = tmp_path / "net"
    made = onnx2snn("convert", MODEL, "-o", out, "--code", "if", "--calibrate-steps", 4, "--json")
    assert made.code == 0, made.err
    assert made.json["calibrate_steps"] == 4
    assert made.json["command"].endswith("--code if --calibrate-steps 4")
    simulated = onnx2snn("simulate", out, "--data", DATA, "--json").json
    assert (simulated["steps"], simulated["inject_steps"]) == (19, 15)
    assert onnx2snn("verify", MODEL, out, "--data", DATA).code == 0


def test_what_cannot_calibrate_says_so(tmp_path: Path) -> None:
    base = ["convert", MODEL, "-o", tmp_path / "net", "--calibrate-steps", 4]
    one_line(onnx2snn(*base), "code if expected", "st-bif")
    one_line(onnx2snn(*base, "--code", "if", "--backend", "torch"), "torch", "--backend numpy")
    one_line(onnx2snn(*base, "--code", "if", "--backend", "loihi"), "loihi", "--backend numpy")
    with pytest.raises(BackendError, match="code if, found st-bif"):
        NumpySimulator(convert(MODEL).network.graph, 15, None, 4)
