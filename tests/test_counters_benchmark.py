"""Our counters still say what was compared with SpikingJelly's."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_synaptic_operations_are_spikingjellys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    counters = importlib.import_module("counters")
    kept = json.loads(counters.RESULT.read_text(encoding="utf-8"))
    figures, arrays = counters.ours()
    assert figures == kept["ours"]
    assert len(figures) == len(kept["layers"]) >= 2
    assert any(layer["down"] for layer in kept["layers"].values())
    for name, theirs in kept["layers"].items():
        assert figures[name]["operations"] == theirs["up"] + theirs["down"]
        padded = any(arrays.get(f"{name}:pads", ()))
        assert (figures[name]["macs"] < theirs["macs"]) if padded else (figures[name]["macs"] == theirs["macs"])
