"""ONNX files to read: a small one, edited ones, and what is said of those that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from models import ModelBuilder
from onnx_case import save

from onnx2snn.errors import Onnx2SnnError
from onnx2snn.frontends.onnx import read_onnx


def one_layer(folder: Path) -> Path:
    """A dense layer of 6 inputs and 4 outputs."""
    m = ModelBuilder(("N", 6))
    return save(m, m.gemm("x", 6, 4), folder / "m.onnx")


def edited(path: Path, edit: Callable[[onnx.ModelProto], object]) -> Path:
    """The file after `edit` has changed its model."""
    proto = onnx.load(str(path))
    edit(proto)
    path.write_bytes(proto.SerializeToString())
    return path


def refusal(path: Path) -> str:
    """The message of reading `path`, one line that begins with the file."""
    with pytest.raises(Onnx2SnnError) as found:
        read_onnx(path)
    message = str(found.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert found.value.exit_code == 1
    return message
