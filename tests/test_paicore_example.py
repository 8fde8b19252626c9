"""The worked example of a backend outside the package: it keeps every promise that a built-in one keeps."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chain_models import CHAINS, Array, chain_model, edit_array, lowered, samples, step
from models import ModelBuilder

from onnx2snn.errors import BackendError
from onnx2snn.plugins import GROUP
from onnx2snn.reference import run
from onnx2snn.testing import conformance

EXAMPLE = Path(__file__).parents[1] / "examples" / "paicore"


@pytest.fixture(scope="module")
def paicore() -> Iterator[Any]:
    """The example's module."""
    sys.path.insert(0, str(EXAMPLE))
    yield import_module("paicore")
    sys.path.remove(str(EXAMPLE))
    sys.modules.pop("paicore")


def test_the_entry_point_names_the_backend(paicore: Any) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"][GROUP][paicore.PaicoreBackend.name].partition(":")
    assert getattr(sys.modules[module], name) is paicore.PaicoreBackend


def test_conformance(paicore: Any, tmp_path: Path) -> None:
    outcomes = conformance(paicore.PaicoreBackend(), tmp_path)
    taken = {outcome.case for outcome in outcomes if not outcome.refused}
    assert {"dense-chain", "conv-chain", "dilated-grouped-conv", "average-pool", "signed-counts"} <= taken


@pytest.mark.parametrize("name", CHAINS)
def test_every_count_equals_the_reference(name: str, paicore: Any, tmp_path: Path) -> None:
    backend = paicore.PaicoreBackend()
    network = lowered(backend, chain_model(name, tmp_path))
    backend.emit(network, tmp_path)
    assert backend.audit(network, tmp_path) == []
    x, steps = samples(network), network.schedule.steps
    found, expected = paicore.PaicoreEmulator(tmp_path).run(x), run(network.graph, x, steps, 0)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], counts)
    np.testing.assert_array_equal(found.output, expected.output)


@pytest.mark.parametrize("array", ["threshold", "leak", "start", "weight"])
def test_a_changed_table_is_found(array: str, paicore: Any, tmp_path: Path) -> None:
    backend = paicore.PaicoreBackend()
    network = lowered(backend, chain_model("strided_conv", tmp_path))
    backend.emit(network, tmp_path)

    def change(values: Array) -> None:
        values.flat[0] -= 1

    edit_array(tmp_path, f"{network.neurons[1]}/{array}", change)
    assert len(backend.audit(network, tmp_path)) == 1


def test_initial_membranes_are_sums_of_axons(paicore: Any) -> None:
    start = np.array([0, 5, -5, 127, 128, -254, -255, 1000])
    axons = paicore.start_axons(start)
    assert (axons.dtype, axons.shape) == (np.int8, (8, len(start)))
    np.testing.assert_array_equal(axons.astype(np.int64).sum(axis=0), start)


def test_a_neuron_takes_more_dendrites_the_more_axons_it_has(paicore: Any, tmp_path: Path) -> None:
    backend = paicore.PaicoreBackend()
    network = lowered(backend, chain_model("dense", tmp_path))
    backend.emit(network, tmp_path)
    (row,) = backend.footprint(tmp_path).rows
    assert row[0] == network.neurons[1]
    few, many = (_use(paicore, inputs) for inputs in (1000, 1200))
    assert few == (8 * 4, 1001)
    assert many == (16 * 4, 1201)


def _use(paicore: Any, inputs: int) -> tuple[int, ...]:
    from onnx2snn.backends.chains import Geometry
    from onnx2snn.backends.chains.partition import HOST, Projection, partition

    geometry = Geometry(kind="dense", source=(inputs,), reads=(inputs,), makes=(4,))
    block = paicore.PaicoreBlock("a", "a", (4,), (Projection(HOST, "w", geometry),), starts=1)
    (placed,) = partition((block,), paicore.Paicore()).placed
    return tuple(placed.use[0].tolist())


def one_population(m: ModelBuilder, x: str) -> str:
    return m.gemm(m.node("Flatten", step(m, m.conv(x, 2, 4), 0.4)), 4 * 36, 5)


def max_pool_between(m: ModelBuilder, x: str) -> str:
    y = step(m, m.conv(step(m, m.conv(x, 2, 4), 0.4), 4, 4, kernel=(1, 1)), 0.8)
    y = m.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    return m.gemm(m.node("Flatten", step(m, m.conv(y, 4, 6, kernel=(1, 1)), 0.8)), 6 * 9, 5)


@pytest.mark.parametrize(
    ("build", "words"), [(one_population, "one population, which the host runs"), (max_pool_between, "pools spikes")]
)
def test_what_the_chip_cannot_take_is_refused(
    build: Callable[[ModelBuilder, str], str], words: str, paicore: Any, tmp_path: Path
) -> None:
    m = ModelBuilder(["N", 2, 8, 8], seed=1)
    path = m.save(build(m, m.quantise("x", 1 / 15, 0, 15)), tmp_path / "model.onnx")
    with pytest.raises(BackendError, match=words):
        lowered(paicore.PaicoreBackend(), path)
