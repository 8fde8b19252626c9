"""Leaky networks in NIR files, converted for Loihi and run by its emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np
from nir_files import cuba, ends, integrate_and_fire, lif, write

from onnx2snn.artifact import Network
from onnx2snn.backends.loihi import LoihiEmulator
from onnx2snn.flow.conversion.convert import Conversion, convert
from onnx2snn.flow.opening import open_artifact
from onnx2snn.ir import Array
from onnx2snn.plugins import load_backend
from onnx2snn.reference import run

STEPS = 24
CHIPS = {"loihi1": 'loihi{chip="loihi1"}', "loihi2": 'loihi{chip="loihi2"}'}


def dense(random: np.random.Generator, outside: int, inside: int) -> Any:
    return nir.Affine(random.normal(0, 1.2 / np.sqrt(inside), (outside, inside)), random.normal(0, 0.05, outside))


def network(folder: Path, *neurons: Any, seed: int = 0) -> Path:
    """A chain of dense layers, 8 inputs, with these neurons behind them."""
    random, nodes, inside = np.random.default_rng(seed), list[Any](), 8
    for neuron in neurons:
        nodes += [dense(random, len(neuron.v_threshold), inside), neuron]
        inside = len(neuron.v_threshold)
    first, last = ends(8, inside)
    return write(folder / "net.nir", first, *nodes, last)


def inputs(count: int = 12) -> Array:
    return np.random.default_rng(7).uniform(0, 1, (count, 8))


def lowered(path: Path, chip: str = "loihi1", **options: Any) -> Network:
    return convert(path, steps=STEPS, **options).lower(load_backend(CHIPS[chip]))


def emulated(path: Path, folder: Path, chip: str = "loihi1", **options: Any) -> tuple[Conversion, Path]:
    """The artifact of a file, its emulator held against the integer network in every count and the output."""
    conversion, place = convert(path, steps=STEPS, **options), folder / f"{chip}"
    conversion.save(place, backend=CHIPS[chip])
    artifact, x = open_artifact(place), inputs()
    found, expected = LoihiEmulator(place).run(x), run(artifact.graph(), x, STEPS, 0)
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[name], counts, err_msg=name)
        assert counts.sum() > 20
    np.testing.assert_array_equal(found.output, expected.output)
    made = conversion.lower(artifact.backend)
    assert artifact.backend.audit(made, place) == []
    return conversion, place


NEURONS = {
    "lif": (lif(16, 0.9, 0.5), lif(12, 0.75, 0.5), lif(5, 0.8, 0.3)),
    "cuba": (cuba(16, 0.72, 0.9, 0.8), cuba(12, 0.6, 0.75, 0.8), cuba(5, 0.64, 0.8, 0.8)),
    "if": (integrate_and_fire(16, 0.7), integrate_and_fire(12, 0.7), integrate_and_fire(5, 0.7)),
    "all": (cuba(16, 0.7, 0.9, 0.8), integrate_and_fire(12, 0.7), lif(5, 0.8, 0.3)),
}
