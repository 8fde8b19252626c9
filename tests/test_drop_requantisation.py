"""`--drop-requantisation`: branches added as they are, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import one_line, onnx2snn
from dialects import DIALECTS

from onnx2snn.flow.conversion.convert import convert

RESIDUAL = DIALECTS["ort_static_residual"]
BRANCH = "DequantizeLinear_7"


def test_the_branch_is_added_as_it_is(tmp_path: Path) -> None:
    model, data = RESIDUAL.save(tmp_path), tmp_path / "data.npz"
    np.savez(data, x=0.3 * RESIDUAL.samples())
    result = onnx2snn("convert", model, "-o", tmp_path / "net", "--drop-requantisation", "--json")
    assert result.code == 0, result.err
    found = result.json
    assert "drop-repeated-staircases, drop-requantisation, move-maxpool" in found["staircase_passes"]
    assert found["command"].endswith(" --drop-requantisation")
    assert BRANCH not in [layer["name"] for layer in found["layers"]]
    (said,) = found["approximations"]
    assert said.startswith(f"{BRANCH} (")
    assert "move by up to 0.00965 from -2.84 to 2.08" in said
    assert BRANCH in onnx2snn("verify", model, tmp_path / "net").out
    verified = onnx2snn("verify", model, tmp_path / "net", "--data", data, "--json")
    assert verified.code == 0, verified.json["findings"]
    assert 0 < verified.json["parity"]["largest_output_error"] < 0.05
    plain = onnx2snn("convert", model, "-o", tmp_path / "plain", "--json").json
    assert (plain["approximations"], plain["settle_bound"]) == ([], 765)
    assert found["settle_bound"] < plain["settle_bound"]


@pytest.mark.parametrize("name", ["qoperator", "multithreshold_uniform", "ort_static_s8"])
def test_only_branches_go(name: str, tmp_path: Path) -> None:
    lost = convert(DIALECTS[name].save(tmp_path), drop_requantisation=True).certificate.approximations
    assert len(lost) == (name == "qoperator")


def test_with_a_recipe_of_ones_own_it_is_named_there(tmp_path: Path) -> None:
    model = RESIDUAL.save(tmp_path)
    result = onnx2snn("convert", model, "-o", tmp_path / "n", "--drop-requantisation", "--passes", "fold-batchnorm")
    one_line(result, "--drop-requantisation", "passes")
    assert result.code == 2
