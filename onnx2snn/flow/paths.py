"""Paths that Python's callers give: what is none, an array or a model in memory, is said in one line."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from onnx2snn.errors import UsageError

#: what some parameters are the path of, and what to do with what is in memory
EXPECTED = {
    "model": ("the path of a model file", "onnx.save writes a model that is in memory to one"),
    "folder": ("the path of an artifact folder", "convert(...).save(folder) writes one"),
    "data": (
        "the path of an .npz file",
        "convert(...).simulate(x) runs arrays as they are, numpy.savez(path, x=x) writes them to a file",
    ),
}


def as_path(parameter: str, given: object) -> Path:
    """What was given for a parameter as a path; raises `UsageError` where it is none."""
    if isinstance(given, (str, PathLike)):
        return Path(given)
    what, help = EXPECTED.get(parameter, ("a path", ""))
    found = f"`{parameter}`: {what} expected, found {type(given).__name__}"
    raise UsageError(f"{found}; {help}" if help else found)
