"""Models with several inputs and outputs, all the way: converted, run by every simulator, verified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from command import onnx2snn as command
from models import ModelBuilder
from onnx import TensorProto, helper

import onnx2snn
from onnx2snn.errors import DataError
from onnx2snn.frontends.onnx import OnnxRuntime, read_onnx
from onnx2snn.reference import evaluate, inputs_of, pack


def two_ends(path: Path) -> Path:
    """An image and a list of numbers, put side by side behind a layer each; classes and a real-valued sigmoid out."""
    m = ModelBuilder(["N", 2, 4, 4])
    image = m.quantise(m.conv(m.quantise("x", 0.1), 2, 3), 0.2)
    other = m.quantise(m.gemm(m.quantise("numbers", 0.1), 5, 4), 0.2)
    joined = m.node("Concat", m.node("Flatten", image), other, axis=1)
    size = 3 * 2 * 2 + 4
    classes = m.node("Identity", m.gemm(joined, size, 3))
    gate = m.node("Sigmoid", m.gemm(joined, size, 1))
    proto = m.model(classes)
    proto.graph.input.append(helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["N", 5]))
    proto.graph.output.append(helper.make_tensor_value_info(gate, TensorProto.FLOAT, ["N", 1]))
    onnx.save(proto, str(path))
    return path


def samples(count: int = 6) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {"x": (2, 4, 4), "numbers": (5,)}
    return {name: random.uniform(0, 1.5, (count, *shape)).astype(np.float32) for name, shape in shapes.items()}


def test_the_graph_reads_as_onnx_runtime_runs_it(tmp_path: Path) -> None:
    path = two_ends(tmp_path / "m.onnx")
    graph, runtime = read_onnx(path).graph, OnnxRuntime(path)
    assert inputs_of(graph) == {"x": (2, 4, 4), "numbers": (5,)}
    x = pack(samples(), inputs_of(graph))
    expected, found = runtime.run(x), evaluate(graph, x)
    assert len(graph.outputs) == len(runtime.outputs) == 2
    for name, output in zip(runtime.outputs, graph.outputs, strict=True):
        np.testing.assert_allclose(found[output], expected[name], atol=1e-5)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_converted_and_verified(tmp_path: Path, backend: str) -> None:
    path, data = two_ends(tmp_path / "m.onnx"), tmp_path / "x.npz"
    given = samples()
    np.savez(data, x=given["x"], numbers=given["numbers"], y=np.zeros(6, np.int64))
    assert command("convert", path, "-o", tmp_path / "net", "--backend", backend).code == 0
    found = command("verify", path, tmp_path / "net", "--data", data, "--json")
    assert found.code == 0, found.out
    assert found.json["certificate"]["exact"]
    assert found.json["parity"]["largest_output_error"] < 1e-5
    assert found.json["parity"]["argmax_agreement"] == 1
    assert command("simulate", tmp_path / "net", "--data", data, "--save", tmp_path / "y.npz").code == 0
    saved = np.load(tmp_path / "y.npz")
    assert saved["output"].shape == (6, 3)
    assert saved["output1"].shape == (6, 1)


def test_the_torch_module_takes_a_batch_for_each_input(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from onnx2snn.backends.torch import build

    conversion = onnx2snn.convert(two_ends(tmp_path / "m.onnx"))
    network, given = conversion.network, samples()
    module = build(network.graph, network.schedule.steps)
    classes, gate = module(*(torch.from_numpy(given[name]) for name in network.inputs))
    expected = conversion.simulate(given)
    np.testing.assert_allclose(classes.numpy(), expected.outputs[0], atol=1e-9)
    np.testing.assert_allclose(gate.numpy(), expected.outputs[1], atol=1e-9)
    conversion.save(tmp_path / "net", backend="torch")
    text = (tmp_path / "net" / "model.py").read_text()
    assert "def forward(self, x: Tensor, numbers: Tensor)" in text


def test_data_that_does_not_fit_is_named(tmp_path: Path) -> None:
    conversion = onnx2snn.convert(two_ends(tmp_path / "m.onnx"))
    given = samples()
    with pytest.raises(DataError, match=r"an array for each input \(x, numbers\) expected, found none for numbers"):
        conversion.simulate({"x": given["x"]})
    with pytest.raises(DataError, match="as many samples of each input expected"):
        conversion.simulate({"x": given["x"], "numbers": given["numbers"][:2]})
    with pytest.raises(DataError, match=r"numbers: shape \(N, 5\) expected, found \(6, 4\)"):
        conversion.simulate({"x": given["x"], "numbers": given["numbers"][:, :4]})
    with pytest.raises(DataError, match="arrays by name expected"):
        conversion.simulate(given["x"])
