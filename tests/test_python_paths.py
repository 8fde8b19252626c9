"""What Python's callers give where a path is expected: wrong use is one line that says what to do instead."""
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from importlib.resources import files
from inspect import signature
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnx2snn as package
from onnx2snn.errors import UsageError

DEMO = files("onnx2snn") / "demo"
MODEL, DATA = Path(str(DEMO / "digits.onnx")), Path(str(DEMO / "digits.npz"))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: package.simulate("net", np.zeros((1, 64))), ("`data`", "an .npz file", "ndarray", "numpy.savez")),
        (lambda: package.simulate("net", {"x": np.zeros((1, 64))}), ("`data`", "dict", "convert(...).simulate(x)")),
        (lambda: package.simulate("net", DATA, save=True), ("`save`: a path expected, found bool",)),
        (lambda: package.convert(onnx.load(MODEL)), ("`model`", "a model file", "ModelProto", "onnx.save")),
        (lambda: package.inspect(onnx.load(MODEL)), ("`model`", "ModelProto")),
        (lambda: package.inspect(MODEL, np.zeros((1, 64))), ("`data`", "ndarray")),
        (lambda: package.verify(MODEL, package.convert(MODEL)), ("`folder`", "Conversion", ".save(folder)")),
        (lambda: package.report("net", data=np.zeros((1, 64))), ("`data`", "ndarray")),
        (lambda: package.report(None), ("`folder`", "NoneType")),
        (lambda: package.convert(MODEL).save(3), ("`folder`", "int")),
    ],
)
def test_what_is_no_path_is_said(call: Callable[[], object], said: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as raised:
        call()
    for words in said:
        assert words.replace("`", "") in str(raised.value)


def test_the_page_names_every_keyword() -> None:
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
    keywords = set(signature(package.convert).parameters) - {"model", "command"}
    lacking = [name for name in {*keywords, *(one.name for one in fields(package.Calibration))} if name not in page]
    assert not lacking


def test_an_open_file_of_arrays_is_no_path() -> None:
    with np.load(DATA) as arrays, pytest.raises(UsageError, match="found NpzFile"):
        package.simulate("net", arrays)
