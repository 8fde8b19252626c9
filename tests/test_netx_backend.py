"""The netx file: exact for one step, measured for several, and read by lava-dl where that is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chain_models import chain_model, edit_array, lowered, samples
from netx_models import NETX_MODELS

from onnx2snn import convert
from onnx2snn.artifact import Network
from onnx2snn.errors import ArtifactError, BackendError, DataError, MissingExtraError
from onnx2snn.flow.evaluation.latency import latency_of
from onnx2snn.flow.opening import open_artifact
from onnx2snn.reference import run

h5py = pytest.importorskip("h5py", reason="the loihi extra is not installed")
from onnx2snn.backends.loihi.netx import NetxBackend, NetxEmulator  # noqa: E402  needs it

EXACT, APPROXIMATE = NetxBackend(), NetxBackend(approximate=True)
PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return lowered(EXACT, NETX_MODELS["convolutions"](tmp_path / "m.onnx"), steps=1)


@pytest.fixture
def folder(network: Network, tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    EXACT.emit(network, made)
    return made


def edit(folder: Path, path: str, change: Any) -> None:
    with h5py.File(folder / "network.net", "r+") as file:
        value = file[path][()]
        del file[path]
        if change is not None:
            file[path] = change(value)


# -- what it computes ------------------------------------------------------------------------------------------------


def check_one_step(network: Network, folder: Path) -> None:
    EXACT.emit(network, folder)
    assert EXACT.audit(network, folder) == []
    assert EXACT.fidelity_of(network) == "faithful"
    x = samples(network)
    found, expected = NetxEmulator(folder).run(x), run(network.graph, x, 1, 0)
    assert list(found.counts) == list(expected.counts)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], counts)
    assert found.spikes == expected.spikes
    np.testing.assert_array_equal(found.output, expected.output)
    assert found.steps == 1 + len(expected.counts)


@pytest.mark.parametrize("name", NETX_MODELS)
def test_one_step_is_exact(name: str, tmp_path: Path) -> None:
    network = lowered(EXACT, NETX_MODELS[name](tmp_path / "m.onnx"), steps=1)
    check_one_step(network, tmp_path)
    counts = run(network.graph, samples(network), 1, 0).counts
    assert all(0.05 < count.mean() < 0.95 for count in counts.values())


@pytest.mark.parametrize("name", ["average_pools", "dense", "negative_gamma", "grouped_dilated_conv"])
def test_a_threshold_for_each_channel_is_exact_too(name: str, tmp_path: Path) -> None:
    """They are in the biases, where one step is all there is."""
    check_one_step(lowered(EXACT, chain_model(name, tmp_path), steps=1), tmp_path)


@pytest.mark.parametrize("name", NETX_MODELS)
def test_several_steps_are_refused_or_approximate(name: str, tmp_path: Path) -> None:
    model = NETX_MODELS[name](tmp_path / "m.onnx")
    with pytest.raises(BackendError, match=r"\(one step or approximate\) .* cannot subtract over 15 steps; --steps 1"):
        lowered(EXACT, model)
    network = lowered(APPROXIMATE, model)
    APPROXIMATE.emit(network, tmp_path)
    assert APPROXIMATE.audit(network, tmp_path) == []
    assert APPROXIMATE.fidelity_of(network) == "approximate"
    x = samples(network)
    found, expected = NetxEmulator(tmp_path).run(x), run(network.graph, x, 15, 0)
    first, *others = expected.counts
    np.testing.assert_array_equal(found.counts[first], expected.counts[first])  # on the host
    drift = [np.abs(found.counts[name] - expected.counts[name]).mean() for name in others]
    assert all(0.1 < d < 8 for d in drift)


def test_the_way_from_layer_to_layer_is_latency(tmp_path: Path) -> None:
    manifest = convert(NETX_MODELS["dense"](tmp_path / "m.onnx"), steps=1).save(tmp_path / "net", "netx")
    x = np.zeros((1, *next(iter(manifest.inputs.values()))), np.float32)
    steps = open_artifact(tmp_path / "net").simulator().run(x).steps
    assert steps == latency_of(manifest).most_steps > 1


def test_lava_reads_the_file(tmp_path: Path) -> None:
    """lava-dl's reader and Lava's bit-accurate models, in an environment of their own."""
    python = os.environ.get("ONNX2SNN_LAVA_PYTHON")
    if python is None:
        pytest.skip("ONNX2SNN_LAVA_PYTHON names no Python with lava-dl; see benchmarks/checks/netx_lava.py")
    script = PROJECT / "benchmarks" / "checks" / "netx_lava.py"
    path = os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])
    made = [sys.executable, str(script), "make", str(tmp_path)]
    subprocess.run(made, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": path})
    done = subprocess.run([python, str(script), "run", str(tmp_path)], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if "counts differ" in line]
    assert len(lines) == 2 * len(NETX_MODELS)
    assert done.returncode == 0, done.stdout
    assert all(": 0 of " in line and "and 0 of " in line for line in lines)


# -- the file --------------------------------------------------------------------------------------------------------


def test_the_file_has_the_readers_layout(folder: Path) -> None:
    with h5py.File(folder / "network.net") as file:
        kinds = [file[f"layer/{i}/type"][0].decode() for i in range(len(file["layer"]))]
        assert kinds == ["input", "conv", "conv", "flatten", "dense", "dense"]
        assert file["layer/0/shape"][()].tolist() == [4, 8, 7]
        conv = file["layer/1"]
        assert conv["shape"][()].tolist() == [6, 4, 5]
        assert conv["weight"].shape == (6, 4, 3, 3)
        assert (conv["stride"][()].tolist(), conv["padding"][()].tolist()) == ([2, 1], [1, 0])
        assert conv["bias"].shape == (6,)
        neuron = {name: conv[f"neuron/{name}"][()] for name in ("type", "iDecay", "vDecay", "vThMant")}
        assert neuron == {"type": b"CUBA", "iDecay": 4096, "vDecay": 4095, "vThMant": 0}
        assert file["layer/5/neuron/vThMant"][()] == 131071
        for i in (1, 2, 4, 5):
            weight = file[f"layer/{i}/weight"][()]
            assert (weight % 2 == 0).all()
            assert np.abs(weight).max() <= 254


def test_the_same_network_gives_the_same_bytes(network: Network, folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    EXACT.emit(network, again)
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_the_audit_finds_what_was_changed(network: Network, folder: Path) -> None:
    edit(folder, "layer/4/bias", lambda bias: bias + 1)
    edit(folder, "layer/1/groups", None)
    edit_array(folder, "host.theta", lambda theta: theta.__iadd__(1))
    assert EXACT.audit(network, folder) == [
        "tables.safetensors: host.theta is not the network's",
        "network.net: layer/1/groups is missing",
        "network.net: layer/4/bias is not the network's",
    ]
    (folder / "network.net").write_bytes(b"no HDF5")
    assert "network.net: cannot be read" in EXACT.audit(network, folder)[0]


def test_damaged_layers_are_no_artifact(folder: Path) -> None:
    edit(folder, "layer/4/shape", lambda shape: shape + 1)
    with pytest.raises(ArtifactError, match="the layers of the file are not those of the tables"):
        NetxEmulator(folder)
    edit(folder, "layer/1/stride", lambda stride: stride[:1])
    with pytest.raises(ArtifactError, match=r"network\.net: no layers of the format: 1 validation error for Geometry"):
        NetxEmulator(folder)
    edit(folder, "layer/1/stride", None)
    with pytest.raises(ArtifactError, match=r"network\.net: no layers of the format: 'stride'"):
        NetxEmulator(folder)


def test_samples_must_fit(folder: Path) -> None:
    with pytest.raises(DataError, match=r"samples \(2, 8, 7\) expected, found \(2, 8, 8\)"):
        NetxEmulator(folder).run(np.zeros((1, 2, 8, 8)))


# -- what it refuses -------------------------------------------------------------------------------------------------


def test_unequal_pads_and_reshapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"pads \(1, 0\) before and \(1, 1\) behind, equal pads expected"):
        lowered(EXACT, chain_model("strided_conv", tmp_path), steps=1)
    with pytest.raises(BackendError, match=r"reshapes sums \(4, 1, 1\) to \(4,\); no form in the file"):
        lowered(EXACT, chain_model("pooled_and_quantised_output", tmp_path), steps=1)


def test_thresholds_of_channels_are_refused_over_several_steps(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"\(one threshold a layer\) .* within 1/16 of each other expected"):
        lowered(APPROXIMATE, chain_model("dense", tmp_path))


def test_without_h5py_the_extra_is_named(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'onnx2snn\[loihi\]'"):
        EXACT.emit(network, tmp_path)
    with pytest.raises(MissingExtraError, match=r"pip install 'onnx2snn\[loihi\]'"):
        EXACT.audit(network, folder)  # no finding: nothing is wrong with the files


def test_every_backend_of_the_project_can_be_loaded() -> None:
    """Entry points as the project declares them, installed anew or not."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    found = project["project"]["entry-points"]["onnx2snn.backends"]
    assert "netx" in found
    for name, target in found.items():
        module, _, kind = target.partition(":")
        assert str(getattr(import_module(module), kind)()) == name
