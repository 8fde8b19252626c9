"""Code `ladder` on chips: counts, tables and their proof, design rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chain_models import CHAINS, Array, chain_model, edit_array, edit_json, lowered, samples
from chip_ladders import CHIPS, FIRST, LOIHI, SECOND, TIANJIC, broken, changed, compared, made, tiny, written
from models import ModelBuilder, residual
from safetensors.numpy import load_file

from onnx2snn.artifact import Network
from onnx2snn.backends.chains import (
    ladder_of,
)
from onnx2snn.backends.loihi.rules import RULES
from onnx2snn.backends.tianjic import TianjicLadderEmulator
from onnx2snn.errors import ArtifactError, BackendError, DataError
from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.evaluation.latency import latency_of
from onnx2snn.flow.evaluation.simulate import simulate
from onnx2snn.flow.verification.verify import verify
from onnx2snn.ir.ops import Ladder

DEMO = Path(str(files("onnx2snn"))) / "demo"


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return lowered(LOIHI, chain_model("dense", tmp_path), "ladder")


def signed_counts(path: Path, kind: str) -> Path:
    """Counts from -5 to 6, padded convolutions, an average pool: what stands for zero differs at the borders."""
    m = ModelBuilder(["N", 2, 8, 8], seed=5)
    y = m.quantise("x", 1 / 15, 0, 15)
    for channels in (2, 4):
        y = m.quantise(m.conv(y, channels, 4, pads=[1, 0, 1, 2]), 0.3, -5, 6)
    if kind == "pooled":
        y = m.node("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = m.quantise(m.conv(y, 4, 3, pads=[1] * 4), 0.4, -3, 3)
    size = 48 if kind == "pooled" else 192
    return m.save(m.gemm(m.node("Flatten", y), size, 5), path / "signed.onnx")


# -- counts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("target", CHIPS)
def test_every_count_equals_the_reference(target: str, name: str, tmp_path: Path) -> None:
    network = lowered(CHIPS[target], chain_model(name, tmp_path), "ladder")
    assert network.certificate.exact
    found = compared(CHIPS[target], network, tmp_path)
    assert found.steps == 1 + len(network.neurons)


@pytest.mark.parametrize("kind", ["plain", "pooled"])
@pytest.mark.parametrize("target", CHIPS)
def test_counts_below_zero(target: str, kind: str, tmp_path: Path) -> None:
    network = lowered(CHIPS[target], signed_counts(tmp_path, kind), "ladder")
    assert network.certificate.exact
    found = compared(CHIPS[target], network, tmp_path)
    assert any(counts.min() < 0 for counts in found.counts.values())
    assert all(spikes > 0 for spikes in found.spikes.values())


@pytest.mark.parametrize("target", ["loihi1", "tianjicx"])
def test_counts_are_the_quantised_networks_own(target: str, tmp_path: Path) -> None:
    """Against ONNX Runtime, through the artifact."""
    model = signed_counts(tmp_path, "plain")
    network = convert(model, code="ladder")
    network.save(tmp_path / "net", CHIPS[target].name)
    x = np.random.default_rng(2).random((50, 2, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    found = verify(model, tmp_path / "net", tmp_path / "x.npz")
    assert found.ok, found.findings
    assert found.parity is not None
    assert [layer.cumulative - layer.rounding for layer in found.parity.layers] == [0, 0, 0]


@pytest.mark.parametrize("target", ["loihi1", "tianjicx"])
def test_the_demo_network(target: str, tmp_path: Path) -> None:
    backend = CHIPS[target]
    manifest = convert(DEMO / "digits.onnx").save(tmp_path / "net", backend.name)
    assert (manifest.code, manifest.steps) == ("ladder", 1)
    assert latency_of(manifest).most_steps == 1 + manifest.pipeline_steps
    found = simulate(tmp_path / "net", DEMO / "digits.npz")
    assert found.accuracy is not None
    assert found.accuracy > 0.97
    assert verify(DEMO / "digits.onnx", tmp_path / "net", DEMO / "digits.npz").ok


@pytest.mark.parametrize("target", ["loihi1", "tianjicx"])
def test_samples_one_after_the_other_are_the_samples_side_by_side(target: str, tmp_path: Path) -> None:
    backend = CHIPS[target]
    network = lowered(backend, chain_model("strided_conv", tmp_path), "ladder")
    emulator: Any = backend.on_chip("ladder").emulator(written(backend, network, tmp_path))
    x, done = samples(network), list[int]()
    whole = emulator.run(x)
    emulator.chunk = 1
    parts = emulator.run(x, done.append)
    np.testing.assert_array_equal(parts.output, whole.output)
    assert parts.spikes == whole.spikes
    assert done == list(range(1, len(x) + 1))
    with pytest.raises(DataError, match=r"samples \(2, 8, 8\) expected, found \(2, 8, 9\)"):
        emulator.run(np.zeros((1, 2, 8, 9)))


def test_tables_worked_out_by_hand(network: Network, tmp_path: Path) -> None:
    """Units of n1 pass at -2, 2 and 6; of n2 at 2 and 8 of 3 n - 2 m, so at 3 and 9 of 3 (n + 1) - 2 (m + 1)."""
    chain = ladder_of(tiny())
    assert chain.populations[0].breakpoints.tolist() == [[-2, -2], [2, 2], [6, 6]]
    assert chain.populations[1].breakpoints.tolist() == [[3], [9]]
    folder = written(LOIHI, made(tiny(), network), tmp_path)
    arrays = load_file(folder / "tables.safetensors")
    tables = json.loads((folder / "tables.json").read_text())
    layer = tables["populations"][0]
    assert (layer["scale"], layer["synapse"]["weight_exponent"]) == (2, 0)  # 3 is odd
    assert arrays["n2/weight"].tolist() == [[6, -4]]
    assert (layer["threshold"], layer["bias_exponent"]) == (0, 6)
    assert arrays["n2/bias"].tolist() == [[-5], [-17]]  # in the middle: 6 and 18 pass by 1, 4 and 16 miss by 1
    assert (layer["decay_v"], layer["floor_bits"], layer["compartments"], layer["arriving"]) == (4095, 18, 2, 3)
    assert arrays["y/weight"].tolist() == [[10]]
    assert arrays["y/value"].tolist() == [0.25]
    assert (tables["ticks"], tables["readout"]["first_tick"]) == (3, 2)
    folder = written(TIANJIC, made(tiny(), network), tmp_path)
    arrays = load_file(folder / "tables.safetensors")
    assert arrays["n2/vtheta"].tolist() == [[2], [8]]
    assert arrays["n2/weight"].reshape(-1, 32)[:2, 0].tolist() == [3, -2]
    x = np.array([[3.0, 0.0], [0.0, 3.0], [3.0, 3.0], [0.0, 0.0]])
    found = TianjicLadderEmulator(folder).run(x)
    assert found.counts["n1"].tolist() == [[2, 1], [-1, 2], [1, 2], [0, 0]]  # of 6 and 3, -3 and 9, 3 and 12, 0 and 0
    assert found.counts["n2"].tolist() == [[1], [0], [0], [0]]  # of 4, -7, -1, 0
    assert found.output.tolist() == [[3.5], [1.0], [1.0], [1.0]]


def put(place: Any, value: int) -> Callable[[Array], None]:
    def change(array: Array) -> None:
        array[place] += value

    return change


@pytest.mark.parametrize(
    ("target", "array", "change", "finding"),
    [
        ("loihi1", f"{SECOND}/bias", put((7, 3), 2), f"{SECOND}: breakpoint differs in 1 of 180 entries, first at (7,"),
        ("loihi1", f"{SECOND}/weight", put((0, 3), 1), "even numbers from -256 to 254 expected"),
        ("loihi1", f"{SECOND}/weight", put((0, 3), 4), "weight differs in 1 of 240 entries, first at (0, 3)"),
        ("loihi1", "host.breakpoints", put((0, 1), 1), f"{FIRST}: breakpoint differs in 1 of 300 entries"),
        ("loihi1", "readout/constant", put(0, 2), "constant differs in 1 of 5 entries"),
        ("loihi1", "readout/value", put(0, 1), "scale differs in 1 of 5 entries"),
        ("tianjicx", f"{SECOND}/vtheta", put((7, 3), 1), f"{SECOND}: breakpoint differs in 1 of 180 entries"),
        ("tianjicx", f"{SECOND}/weight", put((0, 3, 3), 1), "weight differs in 1 of 240 entries"),
    ],
)
def test_the_audit_finds_a_changed_number(
    target: str, array: str, change: Callable[[Array], None], finding: str, tmp_path: Path
) -> None:
    backend = CHIPS[target]
    network = lowered(backend, chain_model("dense", tmp_path), "ladder")
    folder = written(backend, network, tmp_path)
    edit_array(folder, array, change)
    found = backend.audit(network, folder)
    assert found
    assert finding in "; ".join(found)


@pytest.mark.parametrize("target", CHIPS)
def test_damaged_tables_are_no_artifact(target: str, tmp_path: Path) -> None:
    backend = CHIPS[target]
    network = lowered(backend, chain_model("dense", tmp_path), "ladder")
    folder = written(backend, network, tmp_path)
    edit_json(folder, lambda t: t["populations"][0].update(arriving=14))
    with pytest.raises(ArtifactError, match=r"reads 14 units of \(20,\), DequantizeLinear_3 before it has 15"):
        backend.on_chip("ladder").emulator(folder)
    edit_json(folder, lambda t: (t["populations"][0].update(arriving=15), t.update(ticks=4)))
    assert "4 ticks do not go with 2 layers on the chip" in backend.audit(network, folder)[0]


def test_the_same_network_gives_the_same_bytes(network: Network, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        LOIHI.emit(network, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_structure_is_refused_in_either_code(network: Network, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"chain networks only.*joins 2 branches"):
        lowered(LOIHI, residual(tmp_path / "m.onnx"), "ladder")
    op = network.graph[SECOND].op
    assert isinstance(op, Ladder)
    numbers = {"theta": 2.5, "v0": 1.0, "bias": 0.0, "value": 1.0}
    real = changed(network, SECOND, shift=0, **{name: np.array(number) for name, number in numbers.items()})
    assert "computes in real numbers" in broken(LOIHI, real)
    assert "(integer units or if populations)" in broken(TIANJIC, real)
    assert len({rule.__name__ for rule in RULES}) == len(RULES)


def test_counts_beyond_int8_are_refused_on_tianjic(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4], seed=1)
    y = m.quantise(m.node("Relu", m.gemm(m.quantise("x", 1 / 15, 0, 15), 4, 5)), 0.01, 0, 200)
    y = m.quantise(m.node("Relu", m.gemm(y, 5, 4)), 0.01, 0, 100)
    model = m.save(m.gemm(y, 4, 2), tmp_path / "wide.onnx")
    with pytest.raises(
        BackendError, match=r"\(counts fit int8\) Gemm_2 .* needs counts of 0 to 200, 0 to 127 expected"
    ):
        lowered(TIANJIC, model, "ladder")
    assert lowered(LOIHI, model, "ladder").certificate.exact
