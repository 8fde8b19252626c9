"""The tables of both chips: the same bytes again, every changed number found, damaged ones refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chain_models import Array, chain_model, edit_array, edit_json, lowered
from safetensors.numpy import load_file, save_file

from onnx2snn.artifact import Network
from onnx2snn.backends.base import Backend
from onnx2snn.backends.loihi import LoihiBackend, LoihiEmulator
from onnx2snn.backends.tianjic import TianjicBackend, TianjicEmulator
from onnx2snn.errors import ArtifactError

FIRST, SECOND = "DequantizeLinear_3", "DequantizeLinear_5"


@dataclass(frozen=True)
class Chip:
    """A backend, what runs its tables, and the chain that its tables are made of."""

    backend: Backend
    emulator: Callable[[Path], object]
    model: str


LOIHI = Chip(LoihiBackend(), LoihiEmulator, "dense")
TIANJIC = Chip(TianjicBackend(), TianjicEmulator, "strided_conv")


@dataclass(frozen=True)
class Made:
    """A network and its tables."""

    chip: Chip
    network: Network
    tables: Path

    def audit(self) -> list[str]:
        return self.chip.backend.audit(self.network, self.tables)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Chip], Made]:
    def made(chip: Chip) -> Made:
        network = lowered(chip.backend, chain_model(chip.model, tmp_path))
        (tmp_path / "tables").mkdir()
        chip.backend.emit(network, tmp_path / "tables")
        return Made(chip, network, tmp_path / "tables")

    return made


Make = Callable[[Chip], Made]


@pytest.mark.parametrize("chip", [LOIHI, TIANJIC])
def test_the_same_network_gives_the_same_bytes(chip: Chip, make: Make, tmp_path: Path) -> None:
    made = make(chip)
    again = tmp_path / "again"
    again.mkdir()
    chip.backend.emit(made.network, again)
    for name in ("tables.json", "tables.safetensors"):
        assert (again / name).read_bytes() == (made.tables / name).read_bytes()


def put(place: Any, value: int) -> Callable[[Array], None]:
    def change(array: Array) -> None:
        array[place] += value

    return change


@pytest.mark.parametrize(
    ("chip", "array", "change", "finding"),
    [
        (
            LOIHI,
            f"{SECOND}/weight",
            put((0, 3), 1),
            "DequantizeLinear_5/weight: even numbers from -256 to 254 expected",
        ),
        (LOIHI, f"{SECOND}/weight", put((0, 3), 2), "Gemm_2: weight differs in 1 of 240 entries, first at (0, 3)"),
        (
            LOIHI,
            f"{SECOND}/reset",
            put((0, 4), 1),
            "DequantizeLinear_5: theta differs in 1 of 12 entries, first at (4,)",
        ),
        (LOIHI, f"{SECOND}/bias", put(2, 1), "bias per tick differs in 1 of 12 entries"),
        (LOIHI, f"{SECOND}/membrane", put(0, -1), "initial membrane differs in 1 of 12 entries"),
        (LOIHI, f"{FIRST}/membrane", put(0, -1), "v0 differs in 1 of 20 entries"),
        (LOIHI, "host.bias", put(1, 5), "bias differs in 1 of 20 entries, first at (1,)"),
        (LOIHI, "host.most", put(1, 5), "largest charge differs"),
        (LOIHI, "host.graph/Gemm_1.weight", put((0, 0), 1), "the host part is not the network's"),
        (LOIHI, "readout/value", put(0, 1), "scale differs in 1 of 5 entries"),
        (TIANJIC, f"{SECOND}/weight", put((0, 0, 1, 0, 3, 2), 1), "no multiples of"),
        (TIANJIC, "readout/weight", put((0, 16, 4), 1), "Gemm_1: weight differs in 1 of 960 entries, first at (4, 1)"),
        (TIANJIC, f"{SECOND}/vtheta", put(4, 1), "theta differs in 1 of 192 entries"),
        (TIANJIC, f"{SECOND}/bias", put(2, 1), "bias per tick differs in 32 of 192 entries"),
        (TIANJIC, f"{SECOND}/v", put(0, -1), "initial membrane differs in 1 of 192 entries"),
        (TIANJIC, f"{FIRST}/v", put(0, -1), "v0 differs in 1 of 256 entries"),
        (TIANJIC, "readout/v", put(0, -1), "the readout starts at 0"),
        (TIANJIC, "host.bias", put(1, 5), "bias differs in 1 of 256 entries, first at (1,)"),
        (TIANJIC, "host.most", put(1, 5), "largest charge differs"),
        (TIANJIC, "host.graph/Conv_1.weight", put((0, 0, 0, 0), 1), "the host part is not the network's"),
        (TIANJIC, "readout/offset", put(0, 1), "bias differs in 1 of 5 entries"),
    ],
)
def test_the_audit_finds_a_changed_number(
    chip: Chip, array: str, change: Callable[[Array], None], finding: str, make: Make
) -> None:
    made = make(chip)
    assert made.audit() == []
    edit_array(made.tables, array, change)
    found = made.audit()
    assert found
    assert finding in found[0]


def part(table: Any, name: str) -> Any:
    """A part of the second population's record."""
    return table["populations"][1][name]


@pytest.mark.parametrize(
    ("chip", "change", "finding"),
    [
        (LOIHI, lambda t: part(t, "synapse").update(name="x"), "Gemm_2: name x in the tables, Gemm_2 in the network"),
        (LOIHI, lambda t: t["populations"][1].update(first_tick=0), "DequantizeLinear_5 must run from tick 1 to 15"),
        (
            TIANJIC,
            lambda t: part(t, "axon").update(pad_top=0, pad_down=1),
            "Conv_2: pads (0, 0, 1, 1) in the tables, (1, 0, 1, 1) in the network",
        ),
        (TIANJIC, lambda t: part(t, "axon").update(stride_x=2), "(6, 4, 4) sums for (6, 4, 8) neurons"),
    ],
)
def test_the_audit_finds_changed_records(chip: Chip, change: Callable[[Any], object], finding: str, make: Make) -> None:
    made = make(chip)
    edit_json(made.tables, change)
    found = made.audit()
    assert len(found) == 1
    assert finding in found[0]


@pytest.mark.parametrize(
    ("chip", "change", "message"),
    [
        (LOIHI, lambda t: t.update(unknown=1), r"tables\.json: unknown: Extra inputs are not permitted"),
        (
            LOIHI,
            lambda t: part(t, "synapse")["geometry"].update(source=[5]),
            r"geometry: Value error, \(5,\) does not reshape to \(20,\)",
        ),
        (TIANJIC, lambda t: part(t, "soma").update(vleaky_beta=1), r"vleaky_beta: Input should be 0"),
        (TIANJIC, lambda t: part(t, "soma").update(reset_mode=3), "populations reset softly and send spikes"),
        (TIANJIC, lambda t: t["readout"]["soma"].update(vth0=5), "neither the readout's threshold"),
        (TIANJIC, lambda t: t.update(ticks=5), "5 ticks do not go with 15 steps and 3 layers"),
    ],
)
def test_damaged_tables_are_no_artifact(chip: Chip, change: Callable[[Any], object], message: str, make: Make) -> None:
    made = make(chip)
    edit_json(made.tables, change)
    with pytest.raises(ArtifactError, match=message):
        chip.emulator(made.tables)


@pytest.mark.parametrize("chip", [LOIHI, TIANJIC])
def test_missing_tables_are_named(chip: Chip, make: Make) -> None:
    made = make(chip)
    arrays = load_file(made.tables / "tables.safetensors")
    del arrays[f"{SECOND}/bias"]
    save_file(arrays, made.tables / "tables.safetensors")
    with pytest.raises(ArtifactError, match=r"array 'DequantizeLinear_5/bias' \(.*\) expected, found none"):
        chip.emulator(made.tables)
    (made.tables / "tables.json").unlink()
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        chip.emulator(made.tables)
