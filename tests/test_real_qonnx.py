"""QONNX files that other people's tools wrote, against outputs that the qonnx package computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from data_folder import data_file
from models import Array

from onnx2snn import convert, verify
from onnx2snn.frontends.onnx import OnnxReference, executor, read_onnx
from onnx2snn.ir import Graph
from onnx2snn.reference import evaluate

QKERAS = "qonnx-tests-model_test_qkeras_"
GOLDEN = (
    "finn-Xilinx__finn-test_brevitas_debug",
    *(f"{QKERAS}{name}" for name in ("qactivation_3", "qactivation_9", "qconv2d_0", "qconv2d_3", "qdense_5")),
)
OTHERS = ("finn-mixed-model-mixed_model@af4a861",)
NEAR = 1e-6  #: of the largest output: float32 sums in another order


def model(name: str) -> Path:
    return data_file("onnx", "qonnx", f"{name}.onnx")


def samples(graph: Graph, spread: float, count: int = 8) -> Array:
    (start,) = [node.name for node in graph if not node.inputs]
    return np.random.default_rng(2).normal(0, spread, (count, *graph.shape(start))).astype(np.float32)


def assert_close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=NEAR * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", GOLDEN)
def test_the_executor_and_the_ir_give_the_golden_outputs(name: str) -> None:
    path = model(name)
    golden = np.load(data_file("onnx", "qonnx", f"{name}.npz"))
    found = executor(path)
    assert isinstance(found, OnnxReference)
    assert_close(found.run(golden["x"])[found.output], golden["y"])
    graph = read_onnx(path).graph
    assert_close(evaluate(graph, golden["x"])[graph.outputs[0]], golden["y"])


@pytest.mark.parametrize("spread", [0.3, 3.0])
@pytest.mark.parametrize("name", [*GOLDEN, *OTHERS])
def test_the_ir_computes_what_the_executor_computes(name: str, spread: float) -> None:
    path = model(name)
    graph = read_onnx(path).graph
    x = samples(graph, spread)
    found = executor(path)
    assert_close(evaluate(graph, x)[graph.outputs[0]], found.run(x)[found.output])


def test_a_network_of_many_layers_differs_by_near_ties_alone() -> None:
    path = model("qonnx-nn_resize-quant_model")
    graph = read_onnx(path).graph
    x = np.random.default_rng(0).uniform(0, 1, (1, *graph.shape("onnx.Relu_0"))).astype(np.float32)
    found = executor(path)
    off = np.abs(evaluate(graph, x)[graph.outputs[0]] - found.run(x)[found.output])
    assert (off > NEAR).mean() < 0.002
    assert off.max() < 4 / 255


@pytest.mark.parametrize(("name", "spread"), [(GOLDEN[0], 1.0), *((name, 5.0) for name in GOLDEN[1:])])
def test_converted_simulated_and_verified(name: str, spread: float, tmp_path: Path) -> None:
    path = model(name)
    found = convert(path)
    found.save(tmp_path / "artifact")
    np.savez(tmp_path / "x.npz", x=samples(found.ann, spread))
    checked = verify(path, tmp_path / "artifact", tmp_path / "x.npz")
    assert checked.ok, checked.findings
    parity = checked.parity
    assert parity is not None
    assert parity.executor == OnnxReference.name
    assert all(layer.cumulative == layer.rounding for layer in parity.layers)


def test_a_small_cut_of_a_network_of_many_layers_is_proven(tmp_path: Path) -> None:
    proto = onnx.load(str(model("qonnx-nn_resize-quant_model")))
    proto.graph.ClearField("value_info")
    for axis in proto.graph.input[0].type.tensor_type.shape.dim[2:]:
        axis.dim_value = 8
    path = tmp_path / "cut.onnx"
    onnx.save(proto, str(path))
    found = convert(path)
    found.save(tmp_path / "artifact")
    x = np.random.default_rng(0).uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    checked = verify(path, tmp_path / "artifact", tmp_path / "x.npz")
    assert checked.ok, checked.findings
    assert checked.certificate.exact
    assert checked.parity is not None
    assert [layer.cumulative for layer in checked.parity.layers] == [0, 0, 0, 0]


def test_thresholds_beside_a_calibrated_activation(tmp_path: Path) -> None:
    """A Relu in front of thresholds is quantised by them; only the other one takes a range."""
    path = model("finn-mixed-model-mixed_model@af4a861")
    graph = read_onnx(path).graph
    x = samples(graph, 1.0)
    found = convert(path, calibrate=x)
    found.save(tmp_path / "artifact")
    np.savez(tmp_path / "x.npz", x=x)
    checked = verify(path, tmp_path / "artifact", tmp_path / "x.npz")
    assert checked.ok, checked.findings
    assert checked.parity is not None
    assert [layer.name for layer in checked.parity.layers if layer.name.endswith(".steps")] == ["ReLU114.steps"]
    assert [layer.cumulative for layer in checked.parity.layers] == [0] * 5
