"""Bits of weights, thresholds and membranes: kept to, exact as far as they reach, and the fewest that are exact."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import one_line, onnx2snn
from hypothesis import event, given, settings
from hypothesis import strategies as st

from onnx2snn import convert
from onnx2snn.analysis.certificate import Certificate, certify
from onnx2snn.analysis.registers import width
from onnx2snn.artifact import Schedule
from onnx2snn.errors import PassError, UsageError
from onnx2snn.flow.conversion.budget import Budget
from onnx2snn.flow.verification.diagnose import Measure
from onnx2snn.flow.verification.reference import exact_counts
from onnx2snn.frontends.onnx import read_onnx
from onnx2snn.ir.ops import Conv, Dense, Neuron
from onnx2snn.passes import STAIRCASES, MakeInteger, MapNeurons, run_passes
from onnx2snn.testing.strategies import inputs, networks

MODEL = Path(str(files("onnx2snn"))) / "demo" / "digits.onnx"


def proof(**bits: int) -> Certificate:
    return convert(MODEL, bits=Budget(**bits)).certificate


def test_the_text_of_a_budget() -> None:
    assert Budget.parse("weights=8, threshold=17,state=24") == Budget(8, 17, 24)
    assert Budget.parse("state=24") == Budget(state=24)
    for wrong in ("", "state", "state=", "state=1", "state=63", "state=-4", "foo=3", "state=8,state=9"):
        with pytest.raises(UsageError, match="bits: "):
            Budget.parse(wrong)


def test_the_least_bits_that_are_exact() -> None:
    """One bit less, of membranes or of thresholds, and a population that took all of them is exact no more."""
    free = {v.name: v for v in convert(MODEL).certificate.verdicts if v.breakpoints}
    state, threshold = (max(getattr(v, f) for v in free.values()) for f in ("accumulator_bits", "threshold_bits"))
    assert (state, threshold) == (19, 11)
    assert proof(state=state, threshold=threshold, weights=4).exact
    for short, field in (
        (proof(state=state - 1), "accumulator_bits"),
        (proof(threshold=threshold - 1), "threshold_bits"),
    ):
        most = max(getattr(v, field) for v in free.values())
        for name, verdict in free.items():
            assert (short[name].exactness == "exact") == (getattr(verdict, field) < most)
            assert getattr(short[name], field) < most
            assert short[name].bound <= 1


def test_no_grid_coarser_than_the_one_taken_is_exact() -> None:
    reference = run_passes(read_onnx(MODEL).graph, STAIRCASES)
    taken = {v.name: v.shift for v in convert(MODEL).certificate.verdicts if v.breakpoints}
    assert set(taken.values()) == {5, 6}
    for shift in (5, 4):
        coarse = certify(reference, run_passes(reference, (MapNeurons(), MakeInteger(shift=shift))), 15)
        for name, least in taken.items():
            assert (coarse[name].exactness == "exact") == (shift >= least)


@st.composite
def budgets(draw: Any) -> Budget:
    bits = [draw(st.sampled_from([0, *range(low, high)])) for low, high in ((4, 9), (4, 20), (8, 30))]
    return Budget(*bits)


@settings(max_examples=20)
@given(st.data())
def test_what_is_made_keeps_to_its_budget_and_its_bounds(data: st.DataObject) -> None:
    trained, budget = data.draw(networks()), data.draw(budgets())
    reference = run_passes(trained, STAIRCASES)
    try:
        network = run_passes(reference, budget.applied((MapNeurons(steps=15), MakeInteger(steps=15))))
    except PassError as error:
        event("over budget" if "bits" in error.message else "no integer form")
        return
    certificate = certify(reference, network, 15)
    event(f"exact: {certificate.exact}")
    for node in network:
        if isinstance(node.op, (Conv, Dense)) and budget.weights:
            assert width(node.op.weight, node.op.weight) <= budget.weights
        if isinstance(node.op, Neuron):
            verdict = certificate[node.name]
            assert not budget.threshold or int(node.op.theta.max()).bit_length() <= budget.threshold
            assert not budget.state or verdict.accumulator_bits <= budget.state
    measure, x = Measure(reference, network, Schedule(15, None)), data.draw(inputs(trained))
    model = exact_counts(reference, x)
    alone, _ = measure.run(x, model)
    for name in measure.populations:
        assert np.abs(alone[name] - model[name]).max() <= certificate[name].bound


def test_the_command(tmp_path: Path) -> None:
    found = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--bits", "state=16,threshold=9")
    assert found.code == 0
    assert "at most 1 counts" in found.out
    assert "fractional bits" in found.out
    verified = onnx2snn("verify", MODEL, tmp_path / "net", "--json")
    assert verified.code == 0, verified.json["findings"]
    layers = {layer["name"]: layer for layer in verified.json["certificate"]["layers"] if layer["breakpoints"]}
    assert all(layer["accumulator_bits"] <= 16 and layer["threshold_bits"] <= 9 for layer in layers.values())
    assert all(layer["faults"] for layer in layers.values())
    one_line(onnx2snn("convert", MODEL, "-o", tmp_path / "a", "--bits", "state=11"), "membranes of 11 bits expected")
    one_line(onnx2snn("convert", MODEL, "-o", tmp_path / "a", "--bits", "weights=3"), "weights of 3 bits", "found 4")
    one_line(onnx2snn("convert", MODEL, "-o", tmp_path / "a", "--bits", "state=20", "--float"), "whole numbers")
    one_line(onnx2snn("convert", MODEL, "-o", tmp_path / "a", "--bits", "x=1"), "--bits")
