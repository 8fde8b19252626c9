"""Files and graphs that cannot be read as a whole: one clear line each."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from models import ModelBuilder, lenet
from onnx import TensorProto, helper, numpy_helper
from onnx_case import compare, save
from onnx_files import edited, one_layer, refusal

from onnx2snn.errors import ModelError, UnsupportedOpError
from onnx2snn.frontends.onnx import RULES, OnnxRuntime, read_onnx
from onnx2snn.frontends.onnx.load import load_model
from onnx2snn.frontends.onnx.reader import Reader

FLAT = ("N", 6)


def test_a_model_that_was_read_no_longer_holds_its_tensors(tmp_path: Path) -> None:
    model = load_model(lenet(tmp_path / "m.onnx"))
    held = [value for value in model.graph.initializers.values() if value.const_value is not None]
    assert held
    Reader(model).read("m")
    assert all(value.const_value is None for value in held)


# -- bytes ----------------------------------------------------------------------------------------------------------


def test_nothing_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.onnx").endswith("an ONNX file expected, found nothing there")


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path).endswith("an ONNX file expected, found a folder")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 99, b"PK\x03\x04" + bytes(60)])
def test_not_onnx(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert "an ONNX model expected, found" in refusal(path)


@pytest.mark.parametrize("tenths", range(1, 10))
def test_truncated(tenths: int, tmp_path: Path) -> None:
    path = lenet(tmp_path / "m.onnx")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * tenths // 10])
    with pytest.raises(ModelError, match=r"m\.onnx: an ONNX model expected, found a (truncated or other )?file"):
        read_onnx(path)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    path = one_layer(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    assert refusal(path).endswith("cannot be read: Permission denied")


@pytest.mark.parametrize("version", [1, 6, 99])
def test_an_opset_out_of_range(version: int, tmp_path: Path) -> None:
    path = edited(one_layer(tmp_path), lambda p: setattr(p.opset_import[0], "version", version))
    assert f"of domain ai.onnx expected, found {version}" in refusal(path)


def test_no_opset_or_no_outputs(tmp_path: Path) -> None:
    for field in ("opset_import", "graph"):
        path = edited(one_layer(tmp_path), lambda p, f=field: p.ClearField(f))
        assert "an ONNX model expected, found a file without graph outputs or opset" in refusal(path)


# -- graphs ---------------------------------------------------------------------------------------------------------


def test_unknown_ops_are_all_named_with_domain_and_opset(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    y = m.node("Asinh", m.node("Relu", "x"))
    y = m.node("Sinh", m.node("Mystery", y, domain="com.example"))
    proto = m.model(y, opsets=[("com.example", 3)])
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(UnsupportedOpError):
        read_onnx(tmp_path / "m.onnx")
    message = refusal(tmp_path / "m.onnx")
    assert "node '/Asinh_1' op Asinh (domain ai.onnx, opset 18)" in message
    assert "node '/Mystery_1' op Mystery (domain com.example, opset 3)" in message
    assert "node '/Sinh_1' op Sinh (domain ai.onnx, opset 18)" in message
    assert "Relu_1" not in message
    assert message.endswith(f"; {len(RULES)} ops are read (onnx2snn ops); onnx2snn inspect says what to change")
    assert len(message) < 500


def test_the_domain_that_an_op_is_read_in_is_named(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    proto = m.model(m.node("QGemm", "x", domain="com.example"), opsets=[("com.example", 3)])
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    assert "(domain com.example, opset 3); QGemm is read in domain com.microsoft. " in refusal(tmp_path / "m.onnx")


def second_input(proto: onnx.ModelProto) -> None:
    proto.graph.input.append(helper.make_tensor_value_info("side", TensorProto.FLOAT, ["N", 6]))


def second_output(proto: onnx.ModelProto) -> None:
    proto.graph.node.append(helper.make_node("Relu", ["x"], ["side"]))
    proto.graph.output.append(helper.make_tensor_value_info("side", TensorProto.FLOAT, ["N", 6]))


def input_of(kind: int, *shape: int | str) -> Callable[[onnx.ModelProto], object]:
    return lambda proto: proto.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", kind, shape))


def reads(source: str) -> Callable[[onnx.ModelProto], object]:
    """Lets the Gemm read `source`."""
    return lambda proto: proto.graph.node[1].input.__setitem__(0, source)


GRAPHS: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "no input": (lambda p: p.graph.ClearField("input"), "input 'x' of node: name: /Gemm_1 OpType: Gemm"),
    "dynamic size": (input_of(TensorProto.FLOAT, "N", "width"), "input 'x': fixed sizes after the batch axis expected"),
    "no batch": (input_of(TensorProto.FLOAT, 6), "input 'x': a shape (batch, ...) expected, found [6]"),
    "integers": (
        input_of(TensorProto.INT64, "N", 6),
        "input 'x': floating-point input or integers of 2 to 16 bits expected, found INT64",
    ),
    "dangling": (reads("gone"), "input 'gone' of node: name: /Gemm_1 OpType: Gemm"),
    "cyclic": (reads("gemm1"), "input 'gemm1' of node: name: /Gemm_1 OpType: Gemm"),
    "no such output": (lambda p: setattr(p.graph.output[0], "name", "gone"), "Graph output 'gone' is not an output"),
    "no such op": (lambda p: setattr(p.graph.node[1], "op_type", "Gem"), "No Op registered for Gem"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_that_are_refused(name: str, tmp_path: Path) -> None:
    edit, message = GRAPHS[name]
    assert message in refusal(edited(one_layer(tmp_path), edit))


def test_a_dynamic_image_says_what_to_do(tmp_path: Path) -> None:
    m = ModelBuilder(("N", 3, "height", "width"))
    message = refusal(save(m, m.conv("x", 3, 2), tmp_path / "m.onnx"))
    assert "fixed sizes after the batch axis expected" in message
    assert "export with a fixed input size" in message


def test_an_output_that_the_input_does_not_reach(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    path = save(m, m.node("Relu", m.constant(np.ones((1, 6)))), tmp_path / "m.onnx")
    assert "must depend on the input" in refusal(path)


def test_a_second_output_of_a_node(tmp_path: Path) -> None:
    m = ModelBuilder(("N", 2, 4, 4))
    y = m.node("MaxPool", "x", kernel_shape=[2, 2])
    m.nodes[-1].output.append("places")
    z = m.node("Add", y, m.node("Cast", "places", to=TensorProto.FLOAT))
    assert "node '/MaxPool_1' (MaxPool): only the first output can be used" in refusal(save(m, z, tmp_path / "m.onnx"))


# -- external data --------------------------------------------------------------------------------------------------


def external(folder: Path, location: str) -> Path:
    """A model whose weights lie in the file `location`."""
    m = ModelBuilder(FLAT)
    name = m.constant(np.ones((6, 3)))
    path = save(m, m.node("Gemm", "x", name), folder / "m.onnx")

    def move(proto: onnx.ModelProto) -> None:
        tensor = next(t for t in proto.graph.initializer if t.name == name)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", "72")):
            tensor.external_data.add(key=key, value=value)

    return edited(path, move)


def test_external_data_beside_the_model(tmp_path: Path) -> None:
    path = external(tmp_path, "weights.bin")
    weight = np.random.default_rng(0).normal(0, 1, (6, 3)).astype(np.float32)
    (tmp_path / "weights.bin").write_bytes(weight.tobytes())
    graph = read_onnx(path).graph
    (output,) = graph.outputs
    np.testing.assert_array_equal(graph[output].op.parameters()["weight"], weight.T)


@pytest.mark.parametrize("kind", ["above", "absolute", "symlink", "folder symlink"])
def test_external_data_outside_the_folder(kind: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(72))
    folder = tmp_path / "model"
    folder.mkdir()
    location = {"above": "../secret.bin", "absolute": str(secret)}.get(kind, "link.bin")
    if kind == "symlink":
        (folder / "link.bin").symlink_to(secret)
    if kind == "folder symlink":
        (folder / "away").symlink_to(tmp_path)
        location = "away/secret.bin"
    message = refusal(external(folder, location))
    assert f"tensor 'c0': external data inside the model's folder expected, found {location!r}" in message


def test_external_data_that_is_missing_or_short(tmp_path: Path) -> None:
    assert "tensor 'c0': external data file 'weights.bin' is missing" in refusal(external(tmp_path, "weights.bin"))
    (tmp_path / "weights.bin").write_bytes(bytes(40))
    assert "tensor 'c0' cannot be read" in refusal(tmp_path / "m.onnx")


def test_external_data_of_a_constant_node(tmp_path: Path) -> None:
    """Constants can lie outside as well; no way in may be left open."""
    (tmp_path / "secret.bin").write_bytes(bytes(72))
    folder = tmp_path / "model"
    folder.mkdir()
    m = ModelBuilder(FLAT)
    value = numpy_helper.from_array(np.ones((6, 3), np.float32), "w")
    value.ClearField("raw_data")
    value.data_location = TensorProto.EXTERNAL
    for key, entry in (("location", "../secret.bin"), ("offset", "0"), ("length", "72")):
        value.external_data.add(key=key, value=entry)
    weight = m.node("Constant", value=value)
    path = folder / "m.onnx"
    path.write_bytes(m.model(m.node("Gemm", "x", weight)).SerializeToString())
    assert "../secret.bin" in refusal(path)


# -- ONNX Runtime ---------------------------------------------------------------------------------------------------


def test_what_onnx_runtime_cannot_load_is_one_line(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    proto = m.model(m.node("Mystery", "x", domain="com.example"), opsets=[("com.example", 1)])
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match=r"m\.onnx: ONNX Runtime cannot load it: .*Mystery") as found:
        OnnxRuntime(tmp_path / "m.onnx")
    assert "\n" not in str(found.value)


def test_inner_tensors_and_batches_of_a_fixed_size(tmp_path: Path) -> None:
    m = ModelBuilder((4, 6))
    path = save(m, m.gemm(m.node("Relu", "x"), 6, 3), tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(0, 1, (10, 6))
    found = OnnxRuntime(path, ("relu1", "gemm1")).run(x)
    assert list(found) == ["gemm1", "relu1"]
    np.testing.assert_allclose(found["relu1"], np.maximum(x, 0), rtol=1e-6)
    assert found["gemm1"].shape == (10, 3)
    compare(path, batch=1)


def test_a_batch_axis_of_minus_one_is_a_free_one(tmp_path: Path) -> None:
    path = one_layer(tmp_path)
    edited(path, lambda proto: setattr(proto.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", -1))
    compare(path, batch=5)
