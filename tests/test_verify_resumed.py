"""`verify` interrupted and gone on with: the same numbers, nothing done twice, nothing of another run mixed in."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from command import one_line, onnx2snn

import onnx2snn as package
from onnx2snn.flow import batches
from onnx2snn.flow.verification.parity import Batch, LayerParity
from onnx2snn.flow.verification.verify import verify

DEMO = Path(str(files("onnx2snn"))) / "demo"
MODEL, DATA = DEMO / "digits.onnx", DEMO / "digits.npz"


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(batches, "BATCH", 50)
    package.convert(MODEL, code="signed-if").save(tmp_path / "net")
    return tmp_path / "net"


def test_interrupted_and_gone_on_with(net: Path, tmp_path: Path) -> None:
    whole = verify(MODEL, net, DATA)
    keep = tmp_path / "check"

    def stop(done: int, total: int) -> None:
        if done == 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"150 of 360 samples are kept in .*check.partial, --resume goes on"):
        verify(MODEL, net, DATA, stop, keep=keep)
    partial = tmp_path / "check.partial"
    kept = {path: path.stat().st_mtime_ns for path in partial.glob("0-*.npz")}
    assert len(kept) == 3

    def look(done: int, total: int) -> None:
        assert all(path.stat().st_mtime_ns == written for path, written in kept.items())

    found = verify(MODEL, net, DATA, look, keep=keep, resume=True)
    assert found.parity == whole.parity
    assert found.parity is not None
    assert any(layer.cumulative for layer in found.parity.layers)
    assert not partial.exists()


def test_of_another_run_it_is_refused(net: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(MODEL, net, DATA, stop, keep=tmp_path / "check")
    package.convert(MODEL, code="if").save(net, force=True)
    options = ("verify", MODEL, net, "--data", DATA, "--keep", tmp_path / "check")
    one_line(onnx2snn(*options, "--resume"), "artifact differs")
    assert onnx2snn(*options).code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--keep", "x"), "goes with samples"),
        (("--data", DATA, "--resume"), "goes with --keep, beside"),
        (("--data", DATA, "--keep", "x", "--diagnose"), "not with --diagnose"),
    ],
)
def test_wrong_use_is_one_line(options: tuple[str | Path, ...], words: str, net: Path) -> None:
    found = onnx2snn("verify", MODEL, net, *options)
    one_line(found, words)
    assert found.code == 2


@pytest.mark.parametrize(("alone", "worst_alone"), [(None, None), (0, 0), (3, 4)])
def test_a_batch_is_read_as_it_was_kept(alone: int | None, worst_alone: int | None) -> None:
    layer = LayerParity("a", counts=5, alone=alone, cumulative=2, rounding=1, worst=7, worst_alone=worst_alone)
    batch = Batch(2, 17, 0.25, np.array([1, 2]), np.array([1, 3]), 1, (layer,))
    read = Batch.of(batch.arrays())
    assert read.layers == (layer,)
    assert (read.samples, read.steps, read.error, read.agreeing) == (2, 17, 0.25, 1)
    np.testing.assert_array_equal(read.expected, [1, 3])
