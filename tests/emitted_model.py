"""The standalone file that backend torch writes, imported as a user's program would."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def emitted_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `model.py` of an artifact."""
    spec = importlib.util.spec_from_file_location("emitted", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "emitted", module)
    spec.loader.exec_module(module)
    return module
