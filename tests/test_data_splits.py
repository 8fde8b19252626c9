"""Splits: drawn by seed, kept in a file, refused for other images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")

from data_files import write_mnist
from torch.utils.data import DataLoader

from onnx2snn.errors import DataError, UsageError
from onnx2snn.training.data import DataSet, arrays, load, write_samples
from onnx2snn.training.data.pixels import Pixels
from onnx2snn.training.data.splits import draw


def keys(data: DataSet) -> tuple[list[bytes], ...]:
    """Every image of train, validation and test as bytes: random images are all different."""
    parts = (data.train, data.validation, data.test)
    return tuple([image.tobytes() for image in arrays(part)[0]] for part in parts)


def test_parts_are_drawn_by_seed_and_do_not_overlap(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    first, again, other = (keys(load("mnist", tmp_path, seed=seed, held_out=5)) for seed in (3, 3, 4))
    assert first == again
    assert first[1] != other[1]
    assert len(set(first[0]) | set(first[1])) == 20
    assert len(first[1]) == 5


def test_a_split_is_kept_whatever_the_seed(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / "run" / "split.json"
    first = keys(load("mnist", tmp_path, seed=1, held_out=4, split=path))
    content = path.read_bytes()
    assert keys(load("mnist", tmp_path, seed=2, split=path)) == first
    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ["split.json"]
    with pytest.raises(DataError, match=r"split.json: 5 images for validation expected, found 4"):
        load("mnist", tmp_path, held_out=5, split=path)


def test_a_split_of_other_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    write_mnist(tmp_path)
    load("mnist", tmp_path, split=path)
    with pytest.raises(DataError, match="a split of other images: data 'fashion-mnist' expected, found 'mnist'"):
        load("fashion-mnist", tmp_path, split=path)
    write_mnist(tmp_path, size=27)
    with pytest.raises(DataError, match="a split of other images: digest"):
        load("mnist", tmp_path, split=path)
    write_mnist(tmp_path, train=21)
    with pytest.raises(DataError, match="a split of other images: images 21 expected, found 20"):
        load("mnist", tmp_path, split=path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(format="x"), "format 'onnx2snn split 1' expected, found 'x'"),
        (lambda r: r.update(validation=[0, 20]), "validation: a list of indices from 0 to 19"),
        (lambda r: r.update(validation=[True]), "validation: a list of indices"),
        (lambda r: r.update(validation=[1, 1]), "found one twice"),
        (lambda r: r.update(validation=[]), "images for validation expected"),
        (lambda r: r.update(test=[1]), "images for validation expected"),
        (lambda r: r.update(validation=list(range(20))), "left to train on"),
        (lambda r: r.update(seed="1"), "whole number as seed"),
        (lambda r: r.pop("test"), "test: a list of indices"),
    ],
)
def test_damaged_splits(change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / "split.json"
    load("mnist", tmp_path, split=path)
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(DataError, match=message) as error:
        load("mnist", tmp_path, split=path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_what_is_no_split(content: bytes, tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "split.json").write_bytes(content)
    with pytest.raises(DataError, match=r"split.json: "):
        load("mnist", tmp_path, split=tmp_path / "split.json")


def test_a_limit_comes_after_the_split(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    whole, few = (keys(load("mnist", tmp_path, held_out=6, limit=limit)) for limit in (None, 3))
    for all_images, some in zip(whole, few, strict=True):
        assert len(some) == 3
        assert set(some) < set(all_images)


def test_without_a_test_part_each_class_gives_one_in_five() -> None:
    labels = np.repeat([0, 1, 2], [30, 50, 100])
    split = draw("x", Pixels(np.zeros((180, 1, 2, 2), np.uint8), labels), 0, None, test=True)
    assert np.bincount(labels[split.test]).tolist() == [6, 10, 20]
    assert len(split.validation) == 14
    assert sorted([*split.train(), *split.validation, *split.test]) == list(range(180))


def test_a_loader_gives_what_arrays_gives(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    data = load("mnist", tmp_path)
    x, y = arrays(data.test)
    for batch in (DataLoader(data.test, 10), DataLoader(data.test, 10, num_workers=1)):
        ((images, labels),) = batch
        np.testing.assert_array_equal(images.numpy(), x)
        np.testing.assert_array_equal(labels.numpy(), y)
    image, label = data.test[3]
    np.testing.assert_array_equal(image.numpy(), x[3])
    assert label == y[3]
    assert type(label) is int


def test_samples_are_written(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    test = load("mnist", tmp_path).test
    write_samples(tmp_path / "samples.npz", test, limit=4)
    with np.load(tmp_path / "samples.npz") as found:
        np.testing.assert_array_equal(found["x"], arrays(test)[0][:4])
        assert found["y"].tolist() == [0, 1, 2, 3]
    (tmp_path / "other.npz").write_bytes(b"precious")
    with pytest.raises(UsageError, match="left alone"):
        write_samples(tmp_path / "other.npz", test)
