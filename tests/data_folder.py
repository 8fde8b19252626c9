"""Real files from elsewhere, beside the project; tests that need one that is absent skip and say so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("ONNX2SNN_DATA", PROJECT.parent / "shared" / "data"))


def data_file(*parts: str) -> Path:
    """The file of that name in the folder of data sets."""
    path = DATA.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"no file {path}; ONNX2SNN_DATA names the folder of the data sets")
    return path
