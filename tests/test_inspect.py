"""What `inspect` says of scales and codes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from command import onnx2snn
from models import ModelBuilder

MODEL = Path(str(files("onnx2snn"))) / "demo" / "digits.onnx"


def test_scales_are_counted() -> None:
    rows = {row["node"]: row for row in onnx2snn("inspect", MODEL, "--json").json["nodes"]}
    assert rows["/conv1/Conv"]["scales"] == 8
    assert rows["/act1/DequantizeLinear"]["scales"] == 1
    assert rows["/flatten/Flatten"]["scales"] is None
    lines = {line.split()[0]: line for line in onnx2snn("inspect", MODEL).out.splitlines() if line.startswith("/")}
    assert f"{rows['/conv1/Conv']['scale']:.6g} (8 scales)" in lines["/conv1/Conv"]
    assert "scales)" not in lines["/act1/DequantizeLinear"]


def test_a_code_that_cannot_run_the_model_has_no_steps(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4])
    y = m.quantise(m.gemm(m.quantise("x", 0.1), 4, 3), 0.1, low=-7, high=7)
    found = onnx2snn("inspect", m.save(m.gemm(y, 3, 2), tmp_path / "signed.onnx"))
    assert any(
        line.startswith("code if: ") and line.endswith("counts lifted above zero") for line in found.out.splitlines()
    )
    assert "T = cannot" not in found.out
