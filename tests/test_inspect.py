"""What `inspect` says of scales and codes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from command import onnx2snn
from dialects import DIALECTS
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


def test_an_activation_read_quantised_and_as_it_is_counts_as_bounded(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4])
    x = m.quantise("x", 0.1, low=-7, high=7)
    a = m.node("Relu", m.gemm(x, 4, 4))
    b = m.gemm(m.quantise(a, 0.2, low=0, high=7), 4, 4)
    y = m.quantise(m.node("Relu", m.node("Add", b, a)), 0.1, low=0, high=7)
    model = m.save(m.gemm(y, 4, 2), tmp_path / "shared.onnx")
    found = onnx2snn("inspect", model, "--json").json
    rows = {row["node"]: row for row in found["nodes"]}
    assert [name for name, row in rows.items() if row["class"] == "bounded"] == ["/Relu_1"]
    assert "up to 0.1 off within its range" in rows["/Relu_1"]["note"]
    assert f"{len(rows) - 1} exact, 1 bounded; T = 7" in found["summary"]
    made = onnx2snn("convert", model, "-o", tmp_path / "net", "--json").json
    assert found["approximations"] == made["approximations"]


def test_every_real_valued_activation_has_a_line(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4])
    y = m.node("Relu", m.gemm(m.node("Relu", m.gemm("x", 4, 4)), 4, 4))
    model = m.save(m.gemm(y, 4, 2), tmp_path / "real.onnx")
    hint = "a real-valued activation: quantise the model, or calibrate it on data (--calibrate)"
    expected = ["pass add-readouts:", *(f"  Relu_{n} (Relu, from Relu '/Relu_{n}'): {hint}" for n in (1, 2))]
    found = onnx2snn("inspect", model)
    assert found.out.splitlines()[-3:] == [f"problem: {expected[0]}", *expected[1:]]
    assert onnx2snn("inspect", model, "--json").json["problems"] == [line.strip() for line in expected]
    refused = onnx2snn("convert", model, "-o", tmp_path / "net")
    assert refused.err.splitlines() == [f"onnx2snn: {expected[0]}", *expected[1:]]


@pytest.mark.parametrize("name", ["qcfs", "lsq", "pact", "dorefa", "median"])
def test_real_weights_are_named_and_whole_ones_make_it_exact(name: str, tmp_path: Path) -> None:
    model = DIALECTS[name].save(tmp_path)
    rows = onnx2snn("inspect", model, "--json").json["nodes"]
    weighted = {row["node"]: row for row in rows if row["op"] in ("Conv", "Gemm")}
    assert {row["class"] for row in weighted.values()} == {"analog"}
    assert all(("--weight-bits" in row["change"]) == (row["dialect"] != "integer weights") for row in weighted.values())
    made = onnx2snn("convert", model, "-o", tmp_path / "net", "--weight-bits", 8, "--json").json
    assert (made["arithmetic"], made["classes"]["analog"], made["classes"]["bounded"]) == ("integer", 0, 0)
