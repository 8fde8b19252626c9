"""Networks without a spiking population: an input that is quantised and read out, or weights behind real numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import onnx2snn
from models import ModelBuilder

from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.evaluation.simulate import simulate


@pytest.fixture(params=["quantised", "weighted"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Model, artifact and labelled samples."""
    b = ModelBuilder(["N", 4])
    x = b.quantise("x", 0.1) if request.param == "quantised" else b.gemm("x", 4, 3)
    model, data = b.save(x, tmp_path / "m.onnx"), tmp_path / "d.npz"
    convert(model).save(tmp_path / "net")
    values = np.random.default_rng(0).uniform(0, 1.5, (9, 4)).astype(np.float32)
    np.savez(data, x=values, y=np.arange(9) % 3)
    return model, tmp_path / "net", data


def test_simulate_tells_what_there_is(case: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, net, data = case
    found = onnx2snn("simulate", net, "--data", data, "--csv", tmp_path / "run", "--drop", 0.1, "--repeats", 2)
    assert found.code == 0, found.err
    assert "per sample: 0 spikes, rate -, 0 synaptic operations" in found.out
    printed = onnx2snn("simulate", net, "--data", data, "--json").json
    assert (printed["layers"], printed["totals"]["neurons"], printed["median"]["rate"]) == ([], 0, 0)
    result = simulate(net, data)
    assert result.median is not None
    assert (result.median.rate, result.median.plotted_rate) == (0, None)
    assert len(result.curve) == result.steps


def test_report_tells_what_there_is(case: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, net, data = case
    places = ("--pictures", tmp_path / "pictures", "--tables", tmp_path / "tables", "-o", tmp_path / "r.html")
    found = onnx2snn("report", net, "--data", data, "--model", model, "--drop", "0.1", *places)
    assert found.code == 0, found.err
    assert "per sample: 0 spikes, sparsity -, " in found.out
    page = (tmp_path / "r.html").read_text()
    assert "none: no population spikes" in page
    assert "of neurons and steps are silent" not in page
