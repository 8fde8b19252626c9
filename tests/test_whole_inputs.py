"""Inputs that a network reads as whole numbers although its model does not round them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import onnx2snn
from dialects import DIALECTS

from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.verification.verify import verify
from onnx2snn.flow.whole_inputs import ROUNDED, as_read, unwhole
from onnx2snn.ir import parse_graph

NEMO = DIALECTS["nemo"]
CLAIM = "in every count, for every input of whole numbers"
TWO = parse_graph(
    "graph g {\n  a : 2 = input(){shape=(2,)}\n  b : 3 = input(){shape=(3,)}\n"
    "  r : 2 = encoder(a){scale=f64[]{1.0}, lo=-32768, hi=32767, value=f64[]{1.0}}\n"
    '  q : 3 = encoder(b){scale=f64[]{1.0}, lo=0, hi=15, value=f64[]{1.0}} <- "n" "Quant" "q"\n'
    "  return r, q\n}\n"
)  # a is rounded by the network alone, b by the model


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path, Path]:
    """Model, artifact, whole samples, and the same 0.3 higher."""
    folder = tmp_path_factory.mktemp("nemo")
    model, x = NEMO.save(folder), NEMO.samples(64)
    convert(model).save(folder / "net")
    np.savez(folder / "whole.npz", x=x)
    np.savez(folder / "above.npz", x=x + np.float32(0.3))
    return model, folder / "net", folder / "whole.npz", folder / "above.npz"


def test_every_command_says_that_samples_are_rounded(case: tuple[Path, Path, Path, Path], tmp_path: Path) -> None:
    model, net, whole, above = case
    runs = {
        "simulate": ("simulate", net, "--data"),
        "verify": ("verify", model, net, "--data"),
        "report": ("report", net, "--data"),
        "convert": ("convert", model, "-o", tmp_path / "net", "--force", "--calibrate"),
    }
    for name, words in runs.items():
        found = onnx2snn(*words, above)
        (line,) = (line for line in found.err.splitlines() if ROUNDED in line)
        assert "input 'x': the network reads whole numbers from -32768 to 32767; 100 % of the values of 64 " in line
        assert ("above.npz: input" in line) == (name != "convert")
        assert found.code == 0
        assert ROUNDED not in onnx2snn(*words, whole).err


def test_rounded_samples_are_no_near_ties(case: tuple[Path, Path, Path, Path]) -> None:
    model, net, whole, above = case
    exact, rounded = verify(model, net, whole), verify(model, net, above)
    assert CLAIM in rounded.claim
    assert exact.ok
    assert rounded.ok
    assert exact.parity is not None
    assert rounded.parity == exact.parity, "the model is run on what the network reads"
    assert exact.notes == ()
    assert rounded.notes[0].endswith("the model is run on the rounded values")


def test_the_certificate_is_of_whole_numbers_only_where_the_model_does_not_round(tmp_path: Path) -> None:
    assert CLAIM in onnx2snn("convert", NEMO.save(tmp_path), "-o", tmp_path / "net").out
    quantised = onnx2snn("convert", DIALECTS["ort_static_residual"].save(tmp_path), "-o", tmp_path / "other").out
    assert "in every count, for every input\n" in quantised


def test_only_the_inputs_that_the_model_does_not_round_are_rounded() -> None:
    x = np.array([[0.5, 40000, 1.2, 0, 0], [1.5, -3, 7, 7.7, 7]], np.float32)
    assert as_read(TWO, x).tolist() == [[0, 32767, *x[0, 2:].tolist()], [2, -3, *x[1, 2:].tolist()]]
    (note,) = unwhole(TWO, [x, x[1:]])
    assert note.startswith("input 'a': ")
    assert "66.7 % of the values of 3 samples are none (0.5 found)" in note
    assert unwhole(TWO, [np.trunc(x) * [1, 0, 1, 1, 1]]) == ()
