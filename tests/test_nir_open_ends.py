"""What a NIR file leaves open, and what was not measured of its network: said, or left out, but never made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

nir = pytest.importorskip("nir", reason="needs the extra nir")
pytest.importorskip("h5py", reason="needs the extra nir")

from command import one_line, onnx2snn  # noqa: E402
from nir_files import DT, W, chain, cuba, ends, integrate_and_fire, lif, write  # noqa: E402

import onnx2snn as package  # noqa: E402
from onnx2snn.frontends.nir import Discretisation, read_nir  # noqa: E402

BOTH = "read with dt = 0.0001 and reset to zero, which the file does not say; --dt, --reset"
TIME = "read with dt = 0.0001, which the file does not say; --dt"
RESET = "read with reset to zero, which the file does not say; --reset"


@pytest.mark.parametrize(
    ("neuron", "metadata", "how", "note"),
    [
        (lif(2, 0.5), {}, {}, BOTH),
        (cuba(2, 0.25, 0.5), {}, {}, BOTH),
        (lif(2, 0.5), {"dt": 0.0}, {}, BOTH),
        (lif(2, 0.5), {"reset": "zero"}, {}, TIME),
        (lif(2, 0.5), {"dt": DT}, {}, RESET),
        (lif(2, 0.5), {"dt": DT, "reset": "zero"}, {}, ""),
        (lif(2, 0.5), {}, {"reset": "subtract"}, TIME),
        (lif(2, 0.5), {}, {"dt": DT}, RESET),
        (lif(2, 0.0), {}, {}, TIME),  # keeps nothing, so that no reset shows
        (integrate_and_fire(2), {}, {}, RESET),  # an r of one is one a step, however long
        (integrate_and_fire(2, r=1 / DT), {}, {}, BOTH),
        (nir.Threshold(np.ones(2)), {}, {}, ""),
    ],
)
def test_defaults_that_decide_are_said(
    neuron: Any, metadata: dict[str, Any], how: dict[str, Any], note: str, tmp_path: Path
) -> None:
    reading = read_nir(chain(tmp_path, neuron, **metadata), Discretisation(**how))
    assert reading.notes == ((note,) if note else ())


def test_nodes_without_a_reset_of_their_own_are_named(tmp_path: Path) -> None:
    own = integrate_and_fire(2)
    own.metadata = {"reset": "subtract"}
    first, last = ends(3, 2)
    layers = nir.Linear(W), own, nir.Linear(np.eye(2)), integrate_and_fire(2)
    said = read_nir(write(tmp_path / "net.nir", first, *layers, last)).notes
    assert said == ("read with reset to zero of node 'n4', which the file does not say; --reset",)


def test_convert_and_inspect_say_what_was_left_open(tmp_path: Path) -> None:
    path = chain(tmp_path, lif(2, 0.5))
    done = onnx2snn("convert", path, "-o", tmp_path / "out", "--steps", 4)
    assert (done.code, f"onnx2snn: {path}: {BOTH}\n" in done.err) == (0, True)
    assert BOTH in json.loads((tmp_path / "out" / "manifest.json").read_text())["notes"]
    assert f"{path}: {BOTH}\n" in onnx2snn("inspect", path).out
    assert onnx2snn("inspect", path, "--json").json["notes"] == [BOTH]
    given = ("--dt", DT, "--reset", "zero")
    assert "read with" not in onnx2snn("convert", path, "-o", tmp_path / "asked", "--steps", 4, *given).err
    assert onnx2snn("inspect", path, *given, "--json").json["notes"] == []


def test_inspect_reads_as_convert_does(tmp_path: Path) -> None:
    path = chain(tmp_path, lif(2, 0.5))
    options = ("--dt", DT / 2, "--reset", "subtract", "--integrator", "exponential")
    read = onnx2snn("convert", path, "-o", tmp_path / "out", "--steps", 4, *options, "--json").json["reading"]
    assert read == 'nir{dt=5e-05, reset="subtract", integrator="exponential"}'
    note = onnx2snn("inspect", path, *options, "--json").json["nodes"][2]["note"]
    assert f"keeps {np.exp(-0.25):.6g} a step, resets to subtract, read as {read}" in note
    for wrong, words in (("--dt", 0), "positive length"), (("--reset", "no"), "subtract or zero"):
        done = onnx2snn("inspect", path, *wrong)
        one_line(done, words)
        assert done.code == 2


@pytest.mark.parametrize("option", [("--dt", 1), ("--reset", "zero"), ("--integrator", "euler")])
def test_an_onnx_file_has_no_time_to_read(option: tuple[str, object], tmp_path: Path) -> None:
    done = onnx2snn("inspect", "onnx2snn/demo/digits.onnx", *option)
    one_line(done, "NIR files", "found an ONNX file")
    assert done.code == 2


@pytest.fixture
def measured(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A NIR file, its artifact in real numbers, and samples."""
    path = chain(tmp_path, lif(2, 0.5, 0.3), dt=DT, reset="zero")
    package.convert(path, steps=8).save(tmp_path / "out")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).random((20, 3)).astype(np.float32))
    return path, tmp_path / "out", tmp_path / "x.npz"


def test_what_was_not_measured_is_null(measured: tuple[Path, Path, Path]) -> None:
    path, out, data = measured
    (layer,) = onnx2snn("verify", path, out, "--data", data, "--json").json["parity"]["layers"]
    assert (layer["alone"], layer["worst_alone"], layer["worst"]) == (None, None, 0)


def test_where_nothing_is_proven_no_breakpoints_are_counted(measured: tuple[Path, Path, Path]) -> None:
    path, out, _ = measured
    words = "nothing to prove: the trained spiking network itself, computed in real arithmetic, which is not proven"
    line = f"certificate: {words}"
    assert onnx2snn("verify", path, out).out.splitlines()[0] == line
    assert line in onnx2snn("report", out).out.splitlines()


def test_a_report_shows_only_what_was_measured(measured: tuple[Path, Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    from onnx2snn.reporting import report
    from onnx2snn.reporting.page import render
    from onnx2snn.reporting.pictures import errors

    path, out, data = measured
    facts = report(out, data=data, model=path)
    difference = facts.layers[0].difference
    assert difference is not None
    assert (difference.alone, difference.worst_alone) == (None, None)
    page = render(facts, {})
    assert "Differ in the network" in page
    assert "Differ alone" not in page
    assert "No count differs from the model’s</strong>.</p>" in page
    assert "breakpoints are proven" not in page
    assert "There are no breakpoints to prove; what was measured" in page

    changed = facts.layers[0].model_copy(update={"difference": difference.model_copy(update={"cumulative": 3})})
    drawn = errors.draw(facts.model_copy(update={"layers": (changed,)}))
    assert drawn is not None
    assert [len(axes.containers) for axes in drawn.axes] == [1]


def test_an_artifact_of_another_model_is_called_that_and_no_more(tmp_path: Path) -> None:
    """Passes of the one model on the other say nothing of either."""
    first, last = ends(3, 2)
    layers = nir.Linear(W), lif(2, 0.5), nir.Linear(np.eye(2)), lif(2, 0.5)
    path = write(tmp_path / "snn.nir", first, *layers, last)
    package.convert("onnx2snn/demo/digits.onnx").save(tmp_path / "digits")
    done = onnx2snn("verify", path, tmp_path / "digits")
    one_line(done, "the artifact was made from another file than snn.nir (digits.onnx)")
    assert done.err.rstrip().endswith("(digits.onnx)")
    assert done.code == 1
