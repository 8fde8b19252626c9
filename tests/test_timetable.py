"""Whole numbers that make a neuron spike at given steps: what the solver promises is what is proven afterwards."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn import convert
from onnx2snn.analysis.timetable import Timetable
from onnx2snn.analysis.timing import Steady, spike_alike

MODEL = Path(str(files("onnx2snn"))) / "demo" / "digits.onnx"
CHANNELS = 6


def neurons(seed: int, biased: bool) -> Steady:
    rng = np.random.default_rng(seed)
    theta, start = rng.uniform(0.5, 40, CHANNELS), rng.choice([0.0, 0.5, -0.3, 1.2], CHANNELS)
    unit = rng.choice([0.25, 0.1, 1 / 3], CHANNELS)
    return Steady(unit, theta, start * theta, rng.uniform(-4, 4, CHANNELS) * biased)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 8]), st.booleans(), st.integers(0, 9))
def test_as_many_are_proven_as_the_solver_says_and_no_fewer_than_of_rounded_ones(
    seed: int, steps: int, biased: bool, shift: int
) -> None:
    real = neurons(seed, biased)
    low, high = np.full(CHANNELS, -200 * steps), np.full(CHANNELS, 200 * steps)
    table = Timetable.of(real, low, high, steps)
    assert table is not None
    assert table.thresholds == CHANNELS * steps
    solved = table.solve(shift)
    assert solved is not None
    whole, alike = solved
    assert spike_alike(real, whole, low, high, steps).sum() == alike
    grid = (1 << shift) / real.unit
    rounded = [np.rint(a * grid).astype(np.int64) for a in (real.theta, real.v0, real.bias)]
    rounded[0] = np.maximum(rounded[0], 1)
    assert alike >= spike_alike(real, Steady(np.full(CHANNELS, 1 << shift), *rounded), low, high, steps).sum()
    within = (rounded[1] >= 0) & (rounded[1] < rounded[0])
    assert ((whole.v0 >= 0) & (whole.v0 < whole.theta))[within & (whole.theta == rounded[0])].all()


def test_what_is_too_large_is_left_to_rounding() -> None:
    real = neurons(0, biased=True)
    low, high = np.full(CHANNELS, -(1 << 40)), np.full(CHANNELS, 1 << 40)
    assert Timetable.of(real, low, high, 1000) is None
    table = Timetable.of(real, low, high, 4)
    assert table is not None
    assert table.solve(20) is None


@pytest.mark.parametrize(("backend", "least"), [("numpy", 720), ("loihi", 500), ("tianjic", 650)])
def test_an_export_read_back_keeps_its_breakpoints(backend: str, least: int, tmp_path: Path) -> None:
    """Rounding left 718, 244 and 485 of 720; what a chip's grid of few bits cannot hold stays."""
    pytest.importorskip("nir", reason="needs the extra nir")
    convert(MODEL, code="if").save(tmp_path / "out", backend="nir")
    manifest = convert(tmp_path / "out" / "network.nir").save(tmp_path / "back", backend=backend)
    assert sum(layer.breakpoints for layer in manifest.layers) == 720
    assert sum(layer.proven for layer in manifest.layers) >= least
