"""MNIST and Fashion-MNIST: tiny files of their form, damaged ones, the real ones."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")

from data_files import idx_header, write_idx, write_mnist
from data_folder import data_file

from onnx2snn.errors import DataError, UnknownNameError, UsageError
from onnx2snn.training.data import NAMES, Chain, Crop, Flip, Warp, arrays, load
from onnx2snn.training.data.idx import LARGEST, read_idx


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_images_are_read(suffix: str, tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", suffix=suffix)
    pixels = np.zeros((3, 1, 3), np.uint8)
    pixels[2] = [0, 51, 255]
    for part in ("train", "t10k"):
        write_idx(tmp_path / "mnist" / f"{part}-images-idx3-ubyte{suffix}", pixels)
        write_idx(tmp_path / "mnist" / f"{part}-labels-idx1-ubyte{suffix}", np.array([7, 9, 0]))
    data = load("mnist", tmp_path)
    assert (data.name, data.shape, len(data.classes)) == ("mnist", (1, 1, 3), 10)
    x, y = arrays(data.test)
    assert (x.shape, x.dtype, y.dtype) == ((3, 1, 1, 3), np.float32, np.int64)
    np.testing.assert_array_equal(x[2, 0, 0], np.array([0, 0.2, 1], np.float32))
    assert y.tolist() == [7, 9, 0]
    assert (len(data.train), len(data.validation)) == (2, 1)


def test_every_pixel_value_is_divided_as_numpy_does(tmp_path: Path) -> None:
    write_mnist(tmp_path, train=2, test=1, size=16)
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", np.arange(256).reshape(1, 16, 16))
    x, _ = arrays(load("mnist", tmp_path).test)
    np.testing.assert_array_equal(x.ravel(), np.arange(256, dtype=np.float32) / np.float32(255))


def test_digits_are_not_flipped_and_clothes_are(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    assert isinstance(load("mnist", tmp_path).augment, Warp)
    assert load("fashion-mnist", tmp_path).augment == Chain((Crop(pad=4), Flip()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(idx_header(2, 2) + bytes(3), mtime=0), "expected 4 values, found 3"),
        (gzip.compress(idx_header(2, 2) + bytes(5), mtime=0), "expected 4 values, found more"),
        (gzip.compress(idx_header(LARGEST, 4), mtime=0), "expected at most"),
        (gzip.compress(idx_header(2, kind=13) + bytes(8), mtime=0), "IDX header"),
        (gzip.compress(idx_header(2, 2) + bytes(4), mtime=0)[:-6], "gzipped IDX"),
        (gzip.compress(b"\0", mtime=0), "IDX header"),
        (b"not gzip", "gzipped IDX"),
        (b"", "IDX header"),
    ],
)
def test_damaged_idx(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read_idx(tmp_path / "x.gz")
    assert str(error.value).startswith(str(tmp_path / "x.gz"))
    assert "\n" not in str(error.value)


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a file train-images-idx3-ubyte.gz or train-images-idx3-ubyte expected"):
        load("mnist", tmp_path)
    with pytest.raises(DataError, match="a folder of data expected, found nothing there"):
        load("mnist", tmp_path / "absent")
    write_mnist(tmp_path)
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    write_idx(labels, np.zeros(19))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz: 20 labels expected.*\(19,\)"):
        load("mnist", tmp_path)
    write_idx(labels, np.array([0] * 18 + [10, 0]))
    with pytest.raises(DataError, match="labels from 0 to 9 expected, found 10 at image 18"):
        load("mnist", tmp_path)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", np.zeros((0, 28, 28)))
    with pytest.raises(DataError, match=r"images \(N, H, W\) expected, found an array \(0, 28, 28\)"):
        load("mnist", tmp_path)


def test_wrong_use(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    with pytest.raises(UnknownNameError, match="no data set 'mnits'; known: mnist, fashion-mnist"):
        load("mnits", tmp_path)
    assert len(NAMES) >= 2
    wrong: list[dict[str, Any]] = [{"limit": 0}, {"held_out": 0}, {"held_out": 20}, {"size": 24}]
    for options in wrong:
        with pytest.raises(UsageError, match=next(iter(options))):
            load("mnist", tmp_path, **options)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_files(name: str) -> None:
    folder = data_file(name, "train-images-idx3-ubyte.gz").parent
    data = load(name.replace("_", "-"), folder, limit=6000)
    assert (len(data.train), len(data.validation), len(data.test)) == (6000, 5000, 6000)
    assert data.shape == (1, 28, 28)
    for part in (data.train, data.validation, data.test):
        assert np.bincount(part.labels).min() > 0.08 * len(part)
