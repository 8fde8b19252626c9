"""Whatever is wrong: one clear line, exit code 1 or 2, no traceback, nothing half-written, nothing lost."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pickle
import resource
import signal
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest
from command import one_line, onnx2snn
from models import ModelBuilder
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.artifact import read_manifest, seal

DEMO = Path(str(files("onnx2snn"))) / "demo"
MODEL, DATA = DEMO / "digits.onnx", DEMO / "digits.npz"


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    onnx2snn("convert", MODEL, "-o", tmp_path / "net")
    return tmp_path / "net"


def refused(model: Path, folder: Path, *words: str) -> None:
    """Converting fails with one line naming the file, and leaves nothing."""
    one_line(onnx2snn("convert", model, "-o", folder), str(model.name), *words)
    assert not folder.exists()
    assert not [p for p in folder.parent.iterdir() if "partial" in p.name]
    inspected = onnx2snn("inspect", model)
    assert inspected.code in (1, 2)
    assert "Traceback" not in inspected.err + inspected.out


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.onnx", tmp_path / "net", "nothing there")


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    refused(tmp_path / "folder.onnx", tmp_path / "net", "a folder")


@pytest.mark.parametrize("content", [b"", b"hello world, not a model", b"\x00" * 400, b"\x08\x07"])
def test_not_onnx(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    refused(path, tmp_path / "net")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(share: float, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    whole = MODEL.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, tmp_path / "net")


@pytest.mark.parametrize("version", [1, 8, 999])
def test_wrong_opset(version: int, tmp_path: Path) -> None:
    model = onnx.load(str(MODEL))
    model.opset_import[0].version = version
    onnx.save(model, str(tmp_path / "opset.onnx"))
    refused(tmp_path / "opset.onnx", tmp_path / "net", "opset", str(version))


def test_dangling_and_cyclic_graphs(tmp_path: Path) -> None:
    for name, inputs in (("dangling", ["nowhere"]), ("cyclic", ["b"])):
        nodes = [
            helper.make_node("Relu", inputs, ["a"], name="/one"),
            helper.make_node("Relu", ["a"], ["b"], name="/two"),
        ]
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
            [helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", 3])],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), str(tmp_path / f"{name}.onnx"))
        refused(tmp_path / f"{name}.onnx", tmp_path / f"net-{name}")


def _changed(tmp_path: Path, name: str, tensor: str, values: np.ndarray) -> Path:
    model = onnx.load(str(MODEL))
    (place,) = [t for t in model.graph.initializer if t.name == tensor]
    place.CopyFrom(numpy_helper.from_array(values, tensor))
    onnx.save(model, str(tmp_path / name))
    return tmp_path / name


def _tensors(kind: str) -> list[onnx.TensorProto]:
    return [t for t in onnx.load(str(MODEL)).graph.initializer if kind in t.name]


def test_nan_weights(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4])
    y = m.node("MatMul", "x", m.constant(np.full((4, 3), np.nan)))
    refused(m.save(y, tmp_path / "nan.onnx"), tmp_path / "net", "MatMul", "finite")


@pytest.mark.parametrize("scale", [0.0, -0.5, np.nan, np.inf])
def test_bad_scales(scale: float, tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4])
    y = m.gemm(m.quantise("x", scale), 4, 3)
    refused(m.save(y, tmp_path / "scale.onnx"), tmp_path / "net", "scale", "positive")
    m = ModelBuilder(["N", 4])
    w = m.node("DequantizeLinear", m.constant(np.ones((3, 4)), np.int8), m.constant([0.1, scale, 0.1]), axis=0)
    y = m.node("Gemm", "x", w, transB=1)
    refused(m.save(y, tmp_path / "weights.onnx"), tmp_path / "net", "scale", "positive")


def test_external_data_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(np.ones(12, np.float32).tobytes())
    inside = tmp_path / "model"
    inside.mkdir()
    os.symlink(tmp_path / "secret.bin", inside / "link.bin")
    for place in ("../secret.bin", str(tmp_path / "secret.bin"), "link.bin"):
        m = ModelBuilder(["N", 4])
        w = m.constant(np.ones((4, 3)))
        model = m.model(m.node("MatMul", "x", w))
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)
        (inside / "m.onnx").write_bytes(model.SerializeToString())
        refused(inside / "m.onnx", tmp_path / "net", "external data")


def test_unknown_op_names_node_op_domain_opset(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4])
    y = m.node("Asinh", m.node("Atanh", m.gemm("x", 4, 3)))
    path = m.save(y, tmp_path / "odd.onnx")
    done = onnx2snn("convert", path, "-o", tmp_path / "net")
    first, *nodes, supported = done.err.splitlines()
    assert (done.code, first) == (1, f"onnx2snn: {path}: unsupported:")
    assert nodes == [f"  node '/{op}_1' op {op} (domain ai.onnx, opset 18)" for op in ("Atanh", "Asinh")]
    assert supported.endswith(" ops are read (onnx2snn ops); onnx2snn inspect says what to change")
    assert not (tmp_path / "net").exists()
    assert onnx2snn("inspect", path).out.splitlines()[-4:] == [f"problem: {path}: unsupported:", *nodes, supported]
    rows = {row["node"]: row["class"] for row in onnx2snn("inspect", path, "--json").json["nodes"]}
    assert (rows["/Asinh_1"], rows["/Gemm_1"]) == ("unsupported", None)


def test_a_single_unknown_op_is_one_line(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4])
    path = m.save(m.node("Asinh", m.gemm("x", 4, 3)), tmp_path / "odd.onnx")
    refused(
        path, tmp_path / "net", "unsupported node '/Asinh_1' op Asinh (domain ai.onnx, opset 18). ", "(onnx2snn ops)"
    )


def test_bad_samples(artifact: Path, tmp_path: Path) -> None:
    with np.load(DATA) as data:
        x, y = data["x"], data["y"]
    broken: dict[str, dict[str, object]] = {
        "no x": {"images": x},
        "shape": {"x": x[:, :, :4]},
        "rank": {"x": x[0]},
        "dtype": {"x": (x * 16).astype(np.uint8)},
        "empty": {"x": x[:0]},
        "nan": {"x": np.full_like(x, np.nan)},
        "labels": {"x": x, "y": y[:5]},
        "float labels": {"x": x, "y": y.astype(np.float32)},
    }
    for name, arrays in broken.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)  # type: ignore[arg-type]
        one_line(onnx2snn("simulate", artifact, "--data", tmp_path / f"{name}.npz"), f"{name}.npz", "expected", "found")
    one_line(onnx2snn("simulate", artifact, "--data", tmp_path / "none.npz"), "nothing there")
    for name, content in (("text.npz", b"hello"), ("cut.npz", DATA.read_bytes()[:3000]), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(content)
        one_line(onnx2snn("simulate", artifact, "--data", tmp_path / name), name)


class _Bomb:
    def __reduce__(self):
        return os.abort, ()


def test_what_a_data_file_holds_instead_is_named(artifact: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", images=np.zeros((2, 3), np.float32), y=np.zeros(2, np.int64))
    found = onnx2snn("simulate", artifact, "--data", tmp_path / "other.npz")
    one_line(found, "an array 'x' expected, found images, y")
    (tmp_path / "text.npz").write_text("hello")
    one_line(onnx2snn("simulate", artifact, "--data", tmp_path / "text.npz"), "another kind of file")


def test_pickled_samples_are_never_loaded(artifact: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", x=np.array([_Bomb()], dtype=object))
    one_line(onnx2snn("simulate", artifact, "--data", tmp_path / "pickled.npz"), "pickled")
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(np.zeros(3)))
    one_line(onnx2snn("simulate", artifact, "--data", tmp_path / "plain.npz"), "plain.npz")


@pytest.mark.parametrize("words", [("convert",), ("convert", MODEL, "--cod", "if"), ("simulate", "net", "--data")])
def test_wrong_use_points_to_the_help_of_its_command(words: tuple[object, ...]) -> None:
    one_line(onnx2snn(*words), f"(see onnx2snn {words[0]} --help)")
    one_line(onnx2snn("konvert"), "(see onnx2snn --help)")


def test_wrong_use() -> None:
    for arguments in (
        ("convert", MODEL, "-o", "/nonexistent/net", "--code", "morse"),
        ("convert", MODEL, "-o", "/nonexistent/net", "--backend", "abacus"),
        ("convert", MODEL, "-o", "/nonexistent/net", "--steps", "0"),
        ("convert", MODEL, "-o", "/nonexistent/net", "--settle", "soon"),
        ("convert", MODEL, "-o", "/nonexistent/net", "--passes", "fold-everything"),
        ("convert", MODEL, "-o", "/nonexistent/net", "--passes", "map-neurons{step=3}"),
        ("convert", MODEL, "-o", "/nonexistent/net", "--passes", ""),
    ):
        result = onnx2snn(*arguments)
        one_line(result)
        assert result.code == 2
    whole = ("convert", MODEL, "-o", "x")
    for arguments in (
        ("convert",),
        ("fly",),
        whole[:2],
        (*whole, "--bogus"),
        (*whole, "--steps", "a"),
        (*whole, "--levels", "3"),
    ):
        result = onnx2snn(*arguments)
        one_line(result)
        assert result.code == 2
    assert "Commands" in onnx2snn("--help").out
    assert onnx2snn("--version").code == 0


def test_not_an_artifact(artifact: Path, tmp_path: Path) -> None:
    one_line(onnx2snn("simulate", tmp_path, "--data", DATA), "manifest")
    one_line(onnx2snn("verify", MODEL, tmp_path / "none"), "manifest")
    manifest = artifact / "manifest.json"
    text = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**text, "schema_version": 99}))
    one_line(onnx2snn("simulate", artifact, "--data", DATA), "schema version")
    manifest.write_text("{")
    one_line(onnx2snn("simulate", artifact, "--data", DATA), "manifest.json")


@pytest.mark.parametrize("name", ["network.txt", "arrays.safetensors"])
def test_damaged_artifacts(name: str, artifact: Path) -> None:
    whole = (artifact / name).read_bytes()
    for content in (whole[:-9], b"", whole.replace(b"15", b"14", 1) if name == "network.txt" else whole[:-1] + b"\x07"):
        (artifact / name).write_bytes(content)
        one_line(onnx2snn("simulate", artifact, "--data", DATA), "changed after it was written")
        found = onnx2snn("verify", MODEL, artifact)
        assert found.code == 1
        assert "Traceback" not in found.err
    (artifact / name).unlink()
    one_line(onnx2snn("simulate", artifact, "--data", DATA), "missing")


def test_a_changed_weight_is_a_finding_even_under_a_mended_manifest(artifact: Path) -> None:
    path = artifact / "arrays.safetensors"
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    seal(artifact, read_manifest(artifact))
    found = onnx2snn("verify", MODEL, artifact, "--json")
    assert found.code == 1
    assert not found.json["certificate"]["exact"]
    assert found.json["findings"]


@pytest.mark.parametrize(("key", "value"), [("settle", 0), ("steps", 3), ("code", "if"), ("arithmetic", "float")])
def test_a_changed_manifest_is_found(key: str, value: object, artifact: Path) -> None:
    path = artifact / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    one_line(onnx2snn("simulate", artifact, "--data", DATA), "manifest.json was changed")
    assert onnx2snn("verify", MODEL, artifact).code == 1


def test_an_artifact_from_before_a_field_existed_is_intact(artifact: Path) -> None:
    path = artifact / "manifest.json"
    found = json.loads(path.read_text())
    del found["pipeline_steps"]
    text = json.dumps(found | {"digest": ""}, separators=(",", ":"), ensure_ascii=False)
    path.write_text(json.dumps(found | {"digest": hashlib.sha256(text.encode()).hexdigest()}))
    assert onnx2snn("simulate", artifact, "--data", DATA).code == 0


def test_another_model_is_a_finding(artifact: Path, tmp_path: Path) -> None:
    scale = _tensors("scale")[0]
    other = _changed(tmp_path, "other.onnx", scale.name, numpy_helper.to_array(scale) * np.float32(1.5))
    found = onnx2snn("verify", other, artifact, "--json")
    assert found.code == 1
    (finding,) = found.json["findings"]
    assert "another file than other.onnx (digits.onnx)" in finding
    assert "claims on" in finding
    assert finding.endswith("verify against the file it was made from, or convert again")


def test_the_same_network_in_another_file_is_one_finding(artifact: Path, tmp_path: Path) -> None:
    model = onnx.load(MODEL)
    model.doc_string = "the same network"
    onnx.save(model, tmp_path / "other.onnx")
    (finding,) = onnx2snn("verify", tmp_path / "other.onnx", artifact, "--json").json["findings"]
    assert finding.endswith("though what it claims holds of this one too; convert again")


def test_target_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    one_line(onnx2snn("convert", MODEL, "-o", tmp_path / "file", "--force"), "found a file")
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.tex").write_text("mine")
    one_line(onnx2snn("convert", MODEL, "-o", folder, "--force"), "left alone")
    assert (folder / "chapter.tex").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "mine"


def _limited(folder: str) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    result = onnx2snn("convert", MODEL, "-o", folder, "--force")
    one_line(result, "cannot be written")
    os._exit(7)


def _killed(folder: str) -> None:
    from onnx2snn.backends.numpy import NumpyBackend

    NumpyBackend.emit = lambda self, network, scratch: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    onnx2snn("convert", MODEL, "-o", folder, "--force")


def _run(target: object, folder: Path) -> int | None:
    process = multiprocessing.get_context("spawn").Process(target=target, args=(str(folder),))  # type: ignore[arg-type]
    process.start()
    process.join(60)
    return process.exitcode


def test_full_disk_keeps_what_was_there(artifact: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in artifact.iterdir()}
    assert _run(_limited, artifact) == 7
    assert {path.name: path.read_bytes() for path in artifact.iterdir()} == before
    assert _run(_limited, tmp_path / "new") == 7
    assert not (tmp_path / "new").exists()
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]


def test_kill_while_writing_keeps_what_was_there(artifact: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in artifact.iterdir()}
    assert _run(_killed, artifact) == -signal.SIGKILL
    assert {path.name: path.read_bytes() for path in artifact.iterdir()} == before
    assert _run(_killed, tmp_path / "new") == -signal.SIGKILL
    assert not (tmp_path / "new").exists()


def test_an_integer_input_takes_whole_numbers_only(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4])
    y = m.node("DequantizeLinear", "x", m.constant(0.1), m.constant(0, np.int8))
    proto = m.model(m.gemm(m.quantise(m.gemm(y, 4, 3)), 3, 2))
    proto.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    onnx.save(proto, str(tmp_path / "m.onnx"))
    np.savez(tmp_path / "x.npz", x=np.full((2, 4), 0.5, np.float32))
    assert onnx2snn("convert", tmp_path / "m.onnx", "-o", tmp_path / "net").code == 0
    found = onnx2snn("verify", tmp_path / "m.onnx", tmp_path / "net", "--data", tmp_path / "x.npz")
    assert found.code == 1
    where = f"onnx2snn: {tmp_path / 'x.npz'}: x: "
    assert f"{where}whole numbers of the input's type int8 expected, found 0.5" in found.err
