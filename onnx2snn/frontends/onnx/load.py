"""Opening an ONNX file: everything that can be wrong with it is said here, before any node is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnx2snn.errors import ModelError, located
from onnx2snn.frontends.onnx.old_opsets import raise_opset
from onnx2snn.frontends.onnx.repair import repair

if TYPE_CHECKING:
    import onnx
    import onnx_ir

OLDEST_OPSET = 7
NO_LIMIT = 1 << 60


def load_model(path: Path) -> onnx_ir.Model:
    """The model in `path`, checked, functions inlined and constants folded (quantisers are left alone).

    Raises `ModelError` with one line for a file that is missing, broken, out of range or unsafe.
    """
    import onnx_ir
    from onnx_ir.passes import common
    from onnxscript import optimizer

    with located(str(path)):
        data = _bytes(path)
        proto = _parsed(data)
        _check_opset(proto)
        _check_external(proto, path)
        if repair(proto):
            data = proto.SerializeToString()
        _check_structure(proto, data, path)
        del data
        try:
            model = onnx_ir.from_proto(proto)
            onnx_ir.external_data.set_base_dir(model.graph, path.parent)
            if model.functions:
                common.InlinePass()(model)
            common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
            optimizer.fold_constants(model, input_size_limit=NO_LIMIT, output_size_limit=NO_LIMIT)
            common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
            common.RemoveUnusedNodesPass()(model)
            raise_opset(model)
        except Exception as error:
            raise ModelError(f"the graph cannot be read: {_first_line(error)}") from error
        return model


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ModelError("an ONNX file expected, found " + ("a folder" if path.is_dir() else "nothing there"))
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}") from None


def _parsed(data: bytes) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.load_model_from_string(data)
    except (DecodeError, ValueError) as error:
        raise ModelError(f"an ONNX model expected, found a truncated or other file ({_first_line(error)})") from None
    if not proto.graph.output or not proto.opset_import:
        raise ModelError("an ONNX model expected, found a file without graph outputs or opset")
    return proto


def _check_opset(proto: onnx.ModelProto) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    for entry in proto.opset_import:
        if entry.domain in ("", "ai.onnx") and not OLDEST_OPSET <= entry.version <= newest:
            raise ModelError(f"opset {OLDEST_OPSET} to {newest} of domain ai.onnx expected, found {entry.version}")


def _check_external(proto: onnx.ModelProto, path: Path) -> None:
    import onnx

    folder = path.parent.resolve()
    for tensor in proto.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        target = (folder / place).resolve()
        if not target.is_relative_to(folder):
            raise ModelError(
                f"tensor {tensor.name!r}: external data inside the model's folder expected, found {place!r}"
            )
        if not target.is_file():
            raise ModelError(f"tensor {tensor.name!r}: external data file {place!r} is missing")


def _check_structure(proto: onnx.ModelProto, data: bytes, path: Path) -> None:
    import onnx

    external = any(t.data_location == onnx.TensorProto.EXTERNAL for t in proto.graph.initializer)
    try:
        onnx.checker.check_model(str(path) if external else data)  # data: no second copy as of a proto
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ModelError(f"not a valid ONNX graph: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else type(error).__name__
