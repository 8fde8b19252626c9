"""Correction v0 of models that were trained quantised: initial membranes of inexact codes, found on samples."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np

from onnx2snn import Calibration, convert
from onnx2snn.artifact.network import Network
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Neuron
from onnx2snn.reference import Run

DEMO = Path(str(files("onnx2snn"))) / "demo"
MODEL, X = DEMO / "digits.onnx", np.load(DEMO / "digits.npz")["x"][:100]
FIRST = "act2.DequantizeLinear"  #: the first population whose charge does not arrive evenly


def run_of(network: Network, x: Array) -> Run:
    return NumpySimulator(network.graph, network.schedule.steps, network.schedule.settle).run(x)


def mean_error(network: Network, truth: Array) -> float:
    return float(np.abs((truth - run_of(network, X).counts[FIRST]).mean(axis=(0, 2, 3))).sum())


def test_the_mean_error_of_channels_goes_and_only_membranes_change() -> None:
    plain = convert(MODEL, code="if").network
    corrected = convert(MODEL, code="if", calibrate=X, calibration=Calibration(correct=("v0",))).network
    assert "balanced=false" in corrected.neuron_passes
    assert corrected.staircase_passes == plain.staircase_passes
    truth = run_of(convert(MODEL).network, X).counts[FIRST]
    assert mean_error(corrected, truth) < 0.5 * mean_error(plain, truth)
    for node in corrected.graph.of(Neuron):
        twin = plain.graph[node.name].op
        assert isinstance(node.op, Neuron)
        assert isinstance(twin, Neuron)
        for one, other in ((node.op.theta, twin.theta), (node.op.bias, twin.bias)):
            np.testing.assert_array_equal(one * 2.0**-node.op.shift, other * 2.0**-twin.shift)
    assert corrected.certificate.proven < plain.certificate.proven == plain.certificate.breakpoints


def test_an_exact_code_has_nothing_to_correct() -> None:
    found = convert(MODEL, calibrate=X, calibration=Calibration(correct=("v0", "bias"))).network
    assert found.certificate.exact
    assert "start-membranes" not in found.neuron_passes
