"""Errors name an option as it was given: with dashes on the command line, as the parameter in Python."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import typer
from command import one_line, onnx2snn

import onnx2snn as package
from onnx2snn.cli.app import app
from onnx2snn.errors import UsageError
from onnx2snn.flow.conversion.calibration import Calibration
from onnx2snn.metrics import Noise
from onnx2snn.words import PARAMETER, option

MODEL = Path(str(files("onnx2snn") / "demo" / "digits.onnx"))
SOURCE = Path(str(files("onnx2snn")))


@pytest.mark.parametrize(
    ("words", "call", "name"),
    [
        (("--code", "st-bif", "--calibrate-steps", 3), {"code": "st-bif", "calibrate_steps": 3}, "calibrate_steps"),
        (("--calibrate-steps", 70000), {"calibrate_steps": 70000}, "calibrate_steps"),
        (("--most-levels", 70000), {"most_levels": 70000}, "most_levels"),
        (("--steps", 0), {"steps": 0}, "steps"),
        (("--decay", 0.5), {"decay": 0.5}, "decay"),
        (("--code", "ladder", "--steps", 2), {"code": "ladder", "steps": 2}, "steps"),
        (("--dt", 1), {"dt": 1.0}, "dt"),
    ],
)
def test_an_option_of_convert(words: tuple[object, ...], call: dict[str, Any], name: str, tmp_path: Path) -> None:
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", *words)
    one_line(result)
    assert result.err.startswith(f"onnx2snn: {option(name)}"), result.err
    with pytest.raises(UsageError) as raised:
        _ = package.convert(MODEL, **call).network
    assert str(raised.value).startswith(name)
    assert "`" not in result.err + str(raised.value)


def test_parameters_with_other_names() -> None:
    for make, name, words in (
        (lambda: Calibration(weight_bits=1), "weight_bits", "--weight-bits"),
        (lambda: Calibration(input_levels=-1), "input_levels", "--quantise-input"),
        (lambda: Noise(weight=-1), "weight", "--weight-noise"),
    ):
        with pytest.raises(UsageError) as raised:
            make()
        again = pickle.loads(pickle.dumps(raised.value))
        for error in (raised.value, again):
            assert str(error).startswith(f"{name}: ")
            assert error.lines[0].startswith(f"{words}: ")


def test_every_parameter_that_an_error_names_is_an_option() -> None:
    commands: Any = typer.main.get_command(app)
    known = {word for command in commands.commands.values() for given in command.params for word in given.opts}
    named = {name for path in SOURCE.rglob("*.py") for name in _named(path)}
    assert len(named) > 20
    assert {option(name) for name in named} <= known


def _named(path: Path) -> Iterator[str]:
    """Parameters in backquotes in the texts that `UsageError` is called with in a file."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "UsageError":
            for text in ast.walk(call):
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield from PARAMETER.findall(text.value)
