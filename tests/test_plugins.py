"""Backends of other packages: found, listed, loaded; broken ones are named and harm no other."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from command import one_line, onnx2snn

from onnx2snn.backends import Backend
from onnx2snn.errors import BackendError, MissingExtraError, PluginError, UnknownNameError
from onnx2snn.flow.conversion.write import save
from onnx2snn.flow.opening import open_artifact
from onnx2snn.plugins import GROUP, Plugin, load_backend, plugins
from onnx2snn.reference import run
from onnx2snn.testing import conformance
from onnx2snn.testing.conformance import lowered, samples

TOYCHIP = Path(__file__).parent / "toychip"
BUILT_IN = {"numpy", "torch", "loihi", "tianjic", "nir"}
MODULES = ("toychip", "theirs", "others")


def install(folder: Path, package: str, version: str, backends: Mapping[str, str], modules: Mapping[str, str]) -> None:
    """What installing a pure-Python package leaves behind."""
    info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = [f"[{GROUP}]", *(f"{name} = {target}" for name, target in backends.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder on sys.path; modules from it are forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def toychip(site: Path) -> Plugin:
    """The toy chip, installed."""
    project = tomllib.loads((TOYCHIP / "pyproject.toml").read_text())["project"]
    source = {"toychip": (TOYCHIP / "toychip.py").read_text()}
    install(site, project["name"], project["version"], project["entry-points"][GROUP], source)
    return Plugin("toychip", "toychip:ToyChip", "toychip", project["version"])


# -- a sound plugin -------------------------------------------------------------------------------------------------


def test_the_built_in_backends_come_through_the_same_entry_points() -> None:
    found = {plugin.name: plugin for plugin in plugins()}
    assert set(found) >= BUILT_IN
    assert {found[name].package for name in BUILT_IN} == {"onnx2snn"}
    assert not any(plugin.problem for plugin in found.values())


def test_a_plugin_is_found_without_importing_it(toychip: Plugin) -> None:
    assert toychip in plugins()
    assert "toychip" not in sys.modules


def test_a_plugin_loads(toychip: Plugin) -> None:
    backend = load_backend("toychip")
    assert isinstance(backend, Backend)
    assert (backend.name, backend.codes, backend.arithmetic) == ("toychip", ("st-bif",), ("integer",))


def test_a_plugin_passes_the_conformance_suite(toychip: Plugin, tmp_path: Path) -> None:
    outcomes = conformance(load_backend("toychip"), tmp_path)
    refused = [outcome.refused for outcome in outcomes if outcome.refused]
    assert len(outcomes) > len(refused) > 0
    assert any("backend toychip cannot take this network: (at most 256 neurons) " in reason for reason in refused)


def test_a_plugin_writes_and_runs_artifacts(toychip: Plugin, tmp_path: Path) -> None:
    backend = load_backend("toychip")
    network = lowered("dense-chain", backend, "st-bif", "integer")
    save(network, backend, tmp_path / "net")
    assert len((tmp_path / "net" / "thresholds.csv").read_text().splitlines()) == len(network.neurons)
    artifact = open_artifact(tmp_path / "net")
    assert artifact.manifest.backend == "toychip"
    x = samples(network)
    found, expected = (
        artifact.simulator().run(x),
        run(network.graph, x, network.schedule.steps, network.schedule.settle),
    )
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[name], counts)


def test_the_command_line_lists_it(toychip: Plugin) -> None:
    listed = {entry["name"]: entry for entry in onnx2snn("backends", "--json").json["backends"]}
    assert set(listed) >= BUILT_IN | {"toychip"}
    entry = listed["toychip"]
    assert (entry["package"], entry["version"], entry["usable"]) == ("toychip", "0.3.1", True)
    assert entry["summary"] == "an imaginary chip of 256 neurons"


def test_a_backend_without_its_package_is_listed_as_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    listed = {entry["name"]: entry for entry in onnx2snn("backends", "--json").json["backends"]}
    assert listed["nir"]["usable"] is False
    assert "pip install 'onnx2snn[nir]'" in listed["nir"]["summary"]
    assert (listed["nir"]["codes"], listed["nir"]["arithmetic"]) == (["if"], ["float"])
    assert listed["numpy"]["usable"] is True


def test_an_artifact_of_a_plugin_that_has_gone(toychip: Plugin, site: Path, tmp_path: Path) -> None:
    backend = load_backend("toychip")
    save(lowered("dense-chain", backend, "st-bif", "integer"), backend, tmp_path / "net")
    shutil.rmtree(site / "toychip-0.3.1.dist-info")
    with pytest.raises(UnknownNameError, match="no backend 'toychip'; known: loihi, netx, nir, numpy, "):
        open_artifact(tmp_path / "net")


@pytest.mark.skipif(find_spec("pip") is None or find_spec("setuptools") is None, reason="needs pip and setuptools")
def test_it_installs_as_a_package(tmp_path: Path) -> None:
    """The toy chip's own pyproject.toml, through pip and without a network."""
    shutil.copytree(TOYCHIP, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__"))
    quiet = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "install", *quiet, "--target", tmp_path / "there", tmp_path / "source"]
    subprocess.run(command, check=True, capture_output=True)
    look = "from onnx2snn.plugins import load_backend; print(type(load_backend('toychip')).__name__)"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, sys.argv[1]); {look}", tmp_path / "there"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "ToyChip\n"


# -- a clash --------------------------------------------------------------------------------------------------------


def test_a_clash_names_both_packages(toychip: Plugin, site: Path) -> None:
    install(site, "their-chips", "2.0", {"toychip": "theirs:Chip", "fine": "toychip:ToyChip"}, {"theirs": ""})
    claim = "backend 'toychip' is claimed by their-chips (theirs:Chip) and toychip (toychip:ToyChip)"
    with pytest.raises(PluginError) as found:
        load_backend("toychip")
    assert str(found.value) == f"{claim}; uninstall one of them"
    marked = {(plugin.name, plugin.package): plugin.problem for plugin in plugins()}
    assert claim in marked["toychip", "toychip"]
    assert claim in marked["toychip", "their-chips"]
    assert marked["numpy", "onnx2snn"] == ""
    assert "theirs" not in sys.modules
    assert "toychip" not in sys.modules, "neither is imported"
    assert load_backend("numpy").name == "numpy"
    assert load_backend("fine").name == "toychip"


def test_a_clash_with_a_built_in_backend(site: Path) -> None:
    install(site, "their-chips", "2.0", {"numpy": "theirs:Chip"}, {"theirs": ""})
    with pytest.raises(PluginError, match=r"'numpy' is claimed by onnx2snn \(.*NumpyBackend\) and their-chips"):
        load_backend("numpy")
    assert load_backend("tianjic").name == "tianjic"


# -- broken plugins -------------------------------------------------------------------------------------------------

HEAD = "from onnx2snn.backends import Backend\n"
BROKEN: dict[str, tuple[str, str]] = {
    "missing module": (
        "import not_installed_anywhere",
        "ModuleNotFoundError: No module named 'not_installed_anywhere'",
    ),
    "raises on import": ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "syntax error": ("def broken(:", "SyntaxError: "),
    "no such class": ("", "AttributeError: module 'theirs' has no attribute 'Chip'"),
    "not a class": ("Chip = 3", "theirs:Chip is no Backend class"),
    "another class": ("class Chip: ...", "theirs:Chip is no Backend class"),
    "an object": (f"{HEAD}class Kind(Backend):\n def emit(self, *a): ...\nChip = Kind()", "is no Backend class"),
    "no emit": (f"{HEAD}class Chip(Backend): ...", "TypeError: Can't instantiate abstract class Chip"),
    "wants arguments": (
        f"{HEAD}class Chip(Backend):\n def __init__(self, port): ...\n def emit(self, *a): ...",
        "TypeError: Chip.__init__() missing 1 required positional argument: 'port'",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_named_and_stops_nothing_else(name: str, site: Path) -> None:
    text, problem = BROKEN[name]
    install(site, "their-chips", "2.0", {"theirs": "theirs:Chip"}, {"theirs": text})
    with pytest.raises(PluginError) as found:
        load_backend("theirs")
    message = str(found.value)
    assert message.startswith("backend 'theirs' of their-chips")
    assert problem in message
    assert "\n" not in message
    assert isinstance(found.value, BackendError)
    assert load_backend("numpy").name == "numpy"
    listed = {entry["name"]: entry for entry in onnx2snn("backends", "--json").json["backends"]}
    assert listed["theirs"]["usable"] is False
    assert "their-chips" in listed["theirs"]["summary"]
    assert listed["numpy"]["usable"] is True


def test_using_a_broken_plugin_is_one_line(site: Path, tmp_path: Path) -> None:
    from importlib.resources import files

    install(site, "their-chips", "2.0", {"theirs": "theirs:Chip"}, {"theirs": "import not_installed_anywhere"})
    model = Path(str(files("onnx2snn"))) / "demo" / "digits.onnx"
    result = onnx2snn("convert", model, "--backend", "theirs", "-o", tmp_path / "net")
    one_line(result, "backend 'theirs' of their-chips 2.0 cannot be loaded", "pip install not_installed_anywhere")
    assert not (tmp_path / "net").exists()


def test_a_plugin_may_ask_for_an_extra_of_its_own(site: Path) -> None:
    text = "from onnx2snn.errors import MissingExtraError\nraise MissingExtraError('pip install their-chips[usb]')"
    install(site, "their-chips", "2.0", {"theirs": "theirs:Chip"}, {"theirs": text})
    with pytest.raises(MissingExtraError, match=r"pip install their-chips\[usb\]"):
        load_backend("theirs")


def test_an_unknown_backend_lists_those_there_are(toychip: Plugin) -> None:
    with pytest.raises(
        UnknownNameError, match="no backend 'loihi9'; known: loihi, netx, nir, numpy, tianjic, torch, toychip"
    ):
        load_backend("loihi9")
    with pytest.raises(UnknownNameError, match="is known once that is installed: pip install PACKAGE"):
        load_backend("loihi9")
