"""Errors with several reasons: one line for Python, one for each reason on a terminal."""

from __future__ import annotations

import pickle
from pathlib import Path

from command import onnx2snn

from onnx2snn.errors import BackendError, PassError, located

DIGITS = Path("onnx2snn/demo/digits.onnx")


def failed(error: BackendError | PassError, *places: str) -> BackendError | PassError:
    """The error as it comes out of some places, outermost first."""
    try:
        if not places:
            raise error
        with located(places[0]):
            raise failed(error, *places[1:])
    except (BackendError, PassError) as found:
        return found


def test_one_line_for_python_and_one_for_each_reason_on_a_terminal() -> None:
    error = BackendError("chip cannot take this network", ["too wide", "too deep"])
    assert str(error) == "chip cannot take this network: too wide; too deep"
    assert error.lines == ("chip cannot take this network:", "too wide", "too deep")
    assert BackendError("chip cannot take this network", ["too wide"]).lines == (
        "chip cannot take this network: too wide",
    )
    assert BackendError("no such chip").lines == ("no such chip",)


def test_the_place_stands_before_the_reasons() -> None:
    error = failed(PassError("", ["a is odd", "b is odd"]), "pass p", "net")
    assert str(error) == "pass p > net: a is odd; b is odd"
    assert error.lines == ("pass p > net:", "a is odd", "b is odd")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.lines, type(again)) == (str(error), error.lines, PassError)


def test_a_backend_prints_one_line_for_each_broken_rule(tmp_path: Path) -> None:
    done = onnx2snn("convert", DIGITS, "-o", tmp_path / "net", "--backend", "netx")
    first, *rules = done.err.splitlines()
    assert (done.code, first) == (1, "onnx2snn: backend netx cannot take this network:")
    assert [rule.strip().split(")")[0] for rule in rules] == ["(one threshold a layer"] * 2 + [
        "(one step or approximate"
    ]


def test_what_another_code_breaks_as_well_is_said_once(tmp_path: Path) -> None:
    done = onnx2snn("convert", DIGITS, "-o", tmp_path / "net", "--backend", "loihi", "--settle", 2)
    first, *rules = done.err.splitlines()
    assert (done.code, first) == (1, "onnx2snn: backend loihi cannot take this network:")
    assert [rule.strip().split(":")[0] for rule in rules] == [
        "(no settle steps) 2 settle steps asked for; --settle 0",
        "with code ladder",
    ]
