"""What is refused of NIR files, and files that are none, or worse."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

nir = pytest.importorskip("nir", reason="needs the extra nir")

import h5py  # noqa: E402
from nir_files import W, chain, cuba, ends, integrate_and_fire, lif, write  # noqa: E402

from onnx2snn import convert, inspect  # noqa: E402
from onnx2snn.errors import BackendError, MissingExtraError, ModelError, UnsupportedOpError, UsageError  # noqa: E402
from onnx2snn.frontends.nir import RULES, read_nir  # noqa: E402
from onnx2snn.ir.ops import IF, Conv, Readout, Reshape  # noqa: E402

# -- what is refused --------------------------------------------------------------------------------------------------


def test_every_rule_has_a_test_or_a_refusal() -> None:
    assert set(RULES) == {
        *("Input", "Affine", "Linear", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Scale"),
        *("IF", "LIF", "CubaLIF", "Threshold"),
    }


@pytest.mark.parametrize(
    ("neuron", "words"),
    [
        (lif(2, 0.5, tau=np.array([1e-3, 2e-3])), "tau: one time constant for the layer expected"),
        (lif(2, 0.5, tau=np.full(2, 1e-5)), "tau: at least a step of dt = 0.0001 expected"),
        (lif(2, 0.5, tau=np.array([-1.0, 1.0])), "tau: positive time constants expected"),
        (lif(2, 0.5, v_reset=np.full(2, -1.0)), "v_reset: a reset to v_leak expected"),
        (lif(2, 0.5, 0.0), "v_threshold: above the potential at rest expected"),
        (lif(3, 0.5), r"tau: numbers for features \(2,\) expected, found \(3,\)"),
        (lif(2, 0.5, v_threshold=np.array([np.nan, 1])), "v_threshold: finite numbers expected"),
        (integrate_and_fire(2, 1.0, -1.0), "r: positive gains expected"),
        (cuba(2, 0.5, 0.5, w_in=np.zeros(2)), "r, w_in: positive gains expected"),
        (cuba(2, 0.5, 0.5, tau_syn=np.array([1e-3, 2e-3])), "tau_syn: one time constant for the layer expected"),
    ],
)
def test_a_neuron_that_has_no_form_here_is_named_with_its_field(neuron: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"snn.nir > node 'n2' \({type(neuron).__name__}\): {words}"):
        read_nir(chain(tmp_path, neuron))


def test_all_types_without_a_rule_are_named_with_the_reason(tmp_path: Path) -> None:
    first, last = ends(2, 2)
    leaky = nir.LI(tau=np.ones(2), r=np.ones(2), v_leak=np.zeros(2))
    path = write(tmp_path / "net.nir", first, nir.Delay(np.ones(2)), leaky, last)
    with pytest.raises(UnsupportedOpError, match=r"node 'n1' \(Delay: spikes pass on.*node 'n2' \(LI: a leaky"):
        read_nir(path)
    first, *nodes, supported = inspect(path).problems
    assert first == f"{path}: unsupported:"
    assert [node.partition(":")[0] for node in nodes] == ["node 'n1' (Delay", "node 'n2' (LI"]
    assert supported.startswith("Supported types: ")


def test_a_recurrent_connection_is_named(tmp_path: Path) -> None:
    first, last = ends(2, 2)
    nodes = {"in": first, "cell": lif(2, 0.5), "w": nir.Linear(np.eye(2)), "out": last}
    edges = [("in", "cell"), ("cell", "w"), ("w", "cell"), ("cell", "out")]
    nir.write(str(tmp_path / "r.nir"), nir.NIRGraph(nodes, edges, type_check=False))
    with pytest.raises(ModelError, match=r"recurrent connection (cell -> w -> cell|w -> cell -> w)"):
        read_nir(tmp_path / "r.nir")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"code": "st-bif"}, "code: goes with an ONNX network"),
        ({"most_levels": 3}, "most_levels: goes with an ONNX network"),
        ({"settle": "auto"}, "settle: a number of steps"),
        ({"steps": None}, "steps: a number expected"),
        ({"integrator": "rk4"}, "integrator: euler or exponential expected"),
        ({"dt": -1.0}, "dt: a positive length"),
        ({"dt": 0.0}, "dt: a positive length"),
        ({"reset": "soft"}, "reset: subtract or zero expected"),
    ],
)
def test_options_that_go_with_something_else(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"steps": 4, **options}
    with pytest.raises(UsageError, match=words):
        convert(chain(tmp_path, lif(2, 0.5)), **asked)


def test_a_backend_that_cannot_leak_says_what_would_help(tmp_path: Path) -> None:
    conversion = convert(chain(tmp_path, integrate_and_fire(2)), steps=4)
    with pytest.raises(BackendError, match=r"cannot run code lif; it runs: .*; --reset subtract lets"):
        conversion.save(tmp_path / "chip", backend="tianjic")


def test_without_h5py_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = chain(tmp_path, lif(2, 0.5))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'onnx2snn\[nir\]'"):
        read_nir(path)


# -- files that are none, or worse ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", None])
def test_broken_files_are_told_in_one_line(content: bytes | None, tmp_path: Path) -> None:
    path = chain(tmp_path, lif(2, 0.5))
    path.write_bytes(path.read_bytes()[:1500] if content is None else content)
    with pytest.raises(ModelError, match=r"snn\.nir: a NIR file \(HDF5\) expected") as caught:
        read_nir(path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a NIR file expected, found nothing there"):
        convert(tmp_path / "none.nir", steps=1)
    (tmp_path / "folder.nir").mkdir()
    with pytest.raises(ModelError, match="a NIR file expected, found a folder"):
        read_nir(tmp_path / "folder.nir")


def spoiled(path: Path, how: str) -> None:
    with h5py.File(path, "a") as file:
        nodes: Any = file["node/nodes"]
        if how == "external link":
            nodes["n1/secret"] = h5py.ExternalLink("/etc/passwd", "/")
        elif how == "soft link":
            del nodes["n1/weight"]
            nodes["n1/weight"] = h5py.SoftLink("/node/nodes/n1/bias")
        elif how == "ring":
            del nodes["n1"]
            nodes["n1"] = file["node"]
        elif how == "external data":
            del nodes["n1/weight"]
            nodes["n1"].create_dataset("weight", (2, 3), "f8", external=[("/etc/passwd", 0, 48)])
        elif how == "huge":
            del nodes["n1/weight"]
            nodes["n1"].create_dataset("weight", (1 << 20, 1 << 20), "f8", chunks=(1, 1024))
        elif how == "objects":
            del nodes["n1/weight"]
            nodes["n1"].create_dataset("weight", data=file.ref, dtype=h5py.ref_dtype)
        elif how == "no type":
            del nodes["n1/type"]
        elif how == "edges":
            del file["node/edges"]
            file["node/edges"] = np.zeros((2, 3))
        elif how == "edge to nowhere":
            edges: Any = file["node/edges"]
            edges[0] = [b"n0", b"ghost"]
        elif how == "other root":
            file.move("node", "knot")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("external link", "'secret': plain data expected, found a link"),
        ("soft link", "'weight': plain data expected, found a link"),
        ("ring", "at most 8 graphs inside one another expected"),
        ("external data", "'weight': data inside the file expected"),
        ("huge", "'weight': at most 268435456 entries expected"),
        ("objects", "numbers expected|a word expected|numbers or words expected"),
        ("no type", "a node with a type expected"),
        ("edges", "edges: pairs of names expected"),
        ("edge to nowhere", "found no 'ghost'"),
        ("other root", "a NIR file with a group 'node' expected, found knot"),
    ],
)
def test_files_that_mean_harm(how: str, words: str, tmp_path: Path) -> None:
    path = chain(tmp_path, lif(2, 0.5))
    spoiled(path, how)
    with pytest.raises(ModelError, match=words) as caught:
        read_nir(path)
    assert "\n" not in str(caught.value)


def test_names_from_the_file_are_safe_in_the_text_form(tmp_path: Path) -> None:
    first, last = ends(3, 2)
    nodes = {'a "b" {c}': first, "1": nir.Linear(W), "x;y": integrate_and_fire(2), "..": last}
    edges = [('a "b" {c}', "1"), ("1", "x;y"), ("x;y", "..")]
    nir.write(str(tmp_path / "n.nir"), nir.NIRGraph(nodes, edges, type_check=False))
    found = convert(tmp_path / "n.nir", steps=2, reset="subtract")
    manifest = found.save(tmp_path / "out")
    assert manifest.inputs == {'a "b" {c}': (3,)}
    from onnx2snn.ir import load_graph

    assert load_graph(tmp_path / "out").equal(found.network.graph)
    assert {type(node.op) for node in found.network.graph} >= {IF, Readout}
    assert not found.network.graph.of(Conv, Reshape)
