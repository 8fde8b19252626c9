"""Which code a chip takes where none is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from chain_models import chain_model, lowered, step
from chip_ladders import LOIHI
from models import ModelBuilder, residual

from onnx2snn.artifact import read_manifest
from onnx2snn.backends.chains import (
    ladder_of,
)
from onnx2snn.errors import BackendError
from onnx2snn.flow.conversion.convert import convert


def test_the_exact_code_is_chosen_though_it_takes_more_chips(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 2], seed=1)
    y = step(m, m.gemm(m.quantise("x", 1 / 15, 0, 15), 2, 250), 0.4)
    y = step(m, m.gemm(y, 250, 250), 0.4)
    model = m.save(m.gemm(y, 250, 2), tmp_path / "wide.onnx")
    prices = {code: LOIHI.price(lowered(LOIHI, model, code)) for code in ("ladder", "if")}
    assert prices["ladder"].amount > prices["if"].amount
    network = lowered(LOIHI, model, None)
    assert network.code == "ladder"
    assert f"if (not proven exact) would take {prices['if'].words}" in network.choice


def test_the_exact_code_is_chosen_and_the_other_told(tmp_path: Path) -> None:
    model = chain_model("dense", tmp_path)
    network = lowered(LOIHI, model, None)
    assert network.code == "ladder"
    assert network.choice.startswith(
        "code ladder (proven exact) takes 2 cores on 1 chip of loihi1; if (not proven exact)"
    )
    manifest = convert(model).save(tmp_path / "net", "loihi")
    assert manifest.notes[0] == network.choice == read_manifest(tmp_path / "net").notes[0]
    assert lowered(LOIHI, model, "if").choice == ""
    assert lowered(LOIHI, model, "if").code == "if"


def test_a_proof_of_an_approximated_network_is_called_one(tmp_path: Path) -> None:
    network = lowered(LOIHI, chain_model("dense", tmp_path), None, most_levels=3)
    assert network.certificate.approximations
    assert network.choice.startswith("code ladder (proven exact but for the approximations) takes")
    assert "; if (not proven exact) would take" in network.choice


def test_what_does_not_fit_is_not_chosen(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 2], seed=1)
    y = step(m, m.gemm(m.quantise("x", 1 / 15, 0, 15), 2, 300), 0.4)
    model = m.save(m.gemm(y, 300, 2), tmp_path / "wide.onnx")
    network = lowered(LOIHI, model, None)
    assert network.code == "if"
    assert "; ladder does not fit: (every layer fits cores) readout" in network.choice
    network = lowered(LOIHI, chain_model("dense", tmp_path), None, steps=9)
    assert (network.code, network.schedule.steps) == ("if", 9)
    assert "ladder does not fit: steps: code ladder runs in one step" in network.choice


def test_where_nothing_fits_both_say_why(tmp_path: Path) -> None:
    with pytest.raises(BackendError) as caught:
        lowered(LOIHI, residual(tmp_path / "m.onnx"), None)
    assert str(caught.value).count("joins 2 branches") >= 1


def test_a_recipe_with_a_code_of_its_own_is_followed(tmp_path: Path) -> None:
    model = chain_model("dense", tmp_path)
    recipe = ", ".join(map(str, (*LOIHI.staircases(), *LOIHI.neurons("ladder", 1, True))))
    network = lowered(LOIHI, model, None, passes=recipe)
    assert (network.code, network.choice) == ("ladder", "")
    assert [population.units for population in ladder_of(network.graph).populations] == [15, 15]
