"""What stands between the input and its quantiser: means taken off, deviations divided by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from models import ModelBuilder

from onnx2snn import convert
from onnx2snn.analysis.certificate import certify
from onnx2snn.frontends.onnx import executor
from onnx2snn.ir.ops import Affine, Encoder
from onnx2snn.passes import run_passes
from onnx2snn.passes.text import parse_recipe


def normalising(path: Path) -> Path:
    m = ModelBuilder(["N", 2, 4, 4], seed=3)
    y = m.node("Sub", "x", m.constant(np.array([0.4, 0.6]).reshape(1, 2, 1, 1)))
    y = m.node("Div", y, m.constant(np.array([0.25, 0.5]).reshape(1, 2, 1, 1)))
    y = m.node("Relu", m.conv(m.quantise(y, 0.1, -8, 7), 2, 3, pads=[1, 1, 1, 1]))
    y = m.node("Flatten", m.quantise(y, 0.2))
    return m.save(m.gemm(y, 48, 4), path)


@pytest.mark.parametrize("backend", ["numpy", "torch", "loihi", "tianjic"])
def test_shifts_before_the_encoder_stay(backend: str, tmp_path: Path) -> None:
    from onnx2snn.flow.opening import open_artifact

    path = normalising(tmp_path / "m.onnx")
    found = convert(path)
    found.save(tmp_path / "artifact", backend)
    x = np.random.default_rng(0).uniform(0, 1, (16, 2, 4, 4)).astype(np.float32)
    truth = executor(path)
    run = open_artifact(tmp_path / "artifact", trust=True).simulator().run(x)
    np.testing.assert_allclose(run.output, truth.run(x)[truth.output], rtol=0, atol=1e-4)
    assert found.certificate.exact


def test_another_preparation_is_not_certified(tmp_path: Path) -> None:
    network = convert(normalising(tmp_path / "m.onnx")).network
    ann = convert(normalising(tmp_path / "m.onnx")).ann
    reference = run_passes(ann, parse_recipe(network.staircase_passes))
    steps = network.schedule.steps
    assert certify(reference, network.graph, steps).exact
    changed = network.graph.copy()
    before = changed[changed.of(Encoder)[0].inputs[0]]
    assert isinstance(before.op, Affine)
    assert before.op.shift is not None
    changed.replace(before.name, replace(before.op, shift=before.op.shift + 0.1))
    found = certify(reference, changed, steps)
    assert found[before.name].exactness == "bounded"
    assert not found.exact
