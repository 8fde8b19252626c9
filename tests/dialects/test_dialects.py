"""Every dialect: its IR as read and as staircases against golden text, its values against the file's.

`pytest --update-golden` writes the texts. A file of golden/ holds the graph as read, a line `# ----`, and the graph of
staircases, or the line of the error where the network has to be calibrated first.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from _pytest.mark import ParameterSet
from models import Array

from dialects import DIALECTS, Dialect
from onnx2snn.errors import Onnx2SnnError, PassError
from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.inspection.inspect import inspect
from onnx2snn.frontends.onnx import executor, read_onnx
from onnx2snn.ir import Graph, print_graph
from onnx2snn.passes import STAIRCASES, run_passes
from onnx2snn.reference import evaluate

GOLDEN = Path(__file__).parent / "golden"
RULE = "# ----\n"
ALL_INLINE = 10**9


def unread(dialect: Dialect) -> list[pytest.MarkDecorator]:
    reason = f"the frontend does not read {dialect.missing} yet"
    return [pytest.mark.xfail(reason=reason, raises=Onnx2SnnError)] if dialect.missing else []


def waiting(dialect: Dialect) -> list[pytest.MarkDecorator]:
    reason = f"the passes do not make {dialect.waits or dialect.missing} yet"
    return [pytest.mark.xfail(reason=reason, raises=AssertionError)] if dialect.waits or dialect.missing else []


def rows(marks: Callable[[Dialect], list[pytest.MarkDecorator]]) -> list[ParameterSet]:
    return [pytest.param(d, id=d.name, marks=marks(d)) for d in DIALECTS.values()]


every = pytest.mark.parametrize("dialect", rows(unread))


def output(path: Path, x: Array) -> Array:
    """What the file computes."""
    runtime = executor(path)
    return runtime.run(x)[runtime.output]


def staircases(graph: Graph) -> str:
    try:
        return print_graph(run_passes(graph, STAIRCASES), inline=ALL_INLINE)
    except Onnx2SnnError as error:
        return f"# refused: {error}\n"


@every
def test_golden(dialect: Dialect, tmp_path: Path, update_golden: bool) -> None:
    graph = read_onnx(dialect.save(tmp_path)).graph
    found = print_graph(graph, inline=ALL_INLINE) + RULE + staircases(graph)
    path = GOLDEN / f"{dialect.name}.txt"
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
        return
    assert found == path.read_text(encoding="utf-8")


@every
def test_the_ir_computes_what_the_file_computes(dialect: Dialect, tmp_path: Path) -> None:
    path, x = dialect.save(tmp_path), dialect.samples()
    graph = read_onnx(path).graph
    (name,) = graph.outputs
    np.testing.assert_allclose(evaluate(graph, x)[name], output(path, x), rtol=0, atol=dialect.tolerance)


@every
def test_the_staircases_compute_what_the_file_computes(dialect: Dialect, tmp_path: Path) -> None:
    path, x = dialect.save(tmp_path), dialect.samples()
    try:
        graph = run_passes(read_onnx(path).graph, STAIRCASES)
    except PassError as error:
        pytest.skip(f"calibration or another pass first: {error}")
    (name,) = graph.outputs
    np.testing.assert_allclose(evaluate(graph, x)[name], output(path, x), rtol=0, atol=dialect.tolerance)


@pytest.mark.parametrize("dialect", rows(waiting))
def test_what_the_spiking_network_is(dialect: Dialect, tmp_path: Path) -> None:
    found = inspect(dialect.save(tmp_path))
    kinds = {node.kind for node in found.nodes}
    assert found.ok == (dialect.becomes != "refused")
    if found.ok:
        assert kinds == ({"exact"} if dialect.becomes == "exact" else {"exact", "analog"})
    else:
        assert "a real-valued activation" in " ".join(found.problems)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_the_file_runs_and_tells_samples_apart(dialect: Dialect, tmp_path: Path) -> None:
    path, x = dialect.save(tmp_path), dialect.samples()
    found = output(path, x)
    assert len(np.unique(found, axis=0)) == len(x)


def test_the_same_network_every_time() -> None:
    assert len(DIALECTS) > 15
    for dialect in DIALECTS.values():
        assert dialect.proto().SerializeToString() == dialect.proto().SerializeToString()
        assert dialect.build.__doc__


def test_every_golden_file_belongs_to_a_dialect() -> None:
    read = {dialect.name for dialect in DIALECTS.values() if not dialect.missing}
    assert {path.stem for path in GOLDEN.glob("*.txt")} == read


def test_a_quantiser_behind_pooling_leaves_nothing_to_calibrate(tmp_path: Path) -> None:
    path, x = DIALECTS["conv_integer"].save(tmp_path), DIALECTS["conv_integer"].samples()
    manifest = convert(path, calibrate=x).save(tmp_path / "out")
    assert manifest.staircase_passes == convert(path).save(tmp_path / "other").staircase_passes
    manifest = convert(DIALECTS["dynamic"].save(tmp_path), calibrate=x).save(tmp_path / "dynamic")
    assert manifest.staircase_passes.startswith("lift-quantisers, quantise-activations")
