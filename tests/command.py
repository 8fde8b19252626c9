"""Running the command line inside the test process."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from onnx2snn.cli.app import main


@dataclass(frozen=True)
class Result:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def onnx2snn(*arguments: object) -> Result:
    """Runs `onnx2snn` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["onnx2snn", *(str(argument) for argument in arguments)]
    code = 0
    with patch.object(sys, "argv", argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
    return Result(code, out.getvalue(), err.getvalue())


def one_line(result: Result, *words: str) -> None:
    """Asserts that a command failed with one clear line holding `words`, and no traceback."""
    assert result.code in (1, 2), result
    assert len(result.err.strip().splitlines()) == 1, result.err
    assert "Traceback" not in result.err
    assert "internal error" not in result.err, result.err
    for word in words:
        assert word in result.err, (word, result.err)
