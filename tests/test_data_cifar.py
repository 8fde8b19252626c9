"""CIFAR in both forms: tiny files, damaged and malicious ones, the real ones."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")

from data_files import cifar_values, write_cifar_binary, write_cifar_pickle
from data_folder import data_file

from onnx2snn.errors import DataError, UsageError
from onnx2snn.training.data import Chain, Crop, Flip, arrays, load
from onnx2snn.training.data.plain_pickle import read_pickle


def write_binary(folder: Path) -> None:
    for i in (1, 2):
        write_cifar_binary(folder / f"data_batch_{i}.bin", *cifar_values(30, 10, i))
    write_cifar_binary(folder / "test_batch.bin", *cifar_values(12, 10, 3))


def write_pickles(folder: Path, protocol: int = 2) -> None:
    for i in (1, 2):
        write_cifar_pickle(folder / f"data_batch_{i}", *cifar_values(30, 10, i), protocol=protocol)
    write_cifar_pickle(folder / "test_batch", *cifar_values(12, 10, 3), protocol=protocol)


def test_both_forms_give_the_same(tmp_path: Path) -> None:
    write_binary(tmp_path / "b" / "cifar-10-batches-bin")
    found = [load("cifar10", tmp_path / "b")]
    for protocol in (2, 3, 4, 5):
        write_pickles(tmp_path / f"p{protocol}" / "cifar10" / "cifar-10-batches-py", protocol)
        found.append(load("cifar10", tmp_path / f"p{protocol}"))
    pixels, labels = cifar_values(12, 10, 3)
    for data in found:
        assert (data.shape, len(data.classes), data.augment) == ((3, 32, 32), 10, Chain((Crop(pad=4), Flip())))
        assert (len(data.train), len(data.validation)) == (54, 6)
        x, y = arrays(data.test)
        np.testing.assert_array_equal(x, pixels / np.float32(255))
        np.testing.assert_array_equal(y, labels)
        np.testing.assert_array_equal(arrays(data.train)[0], arrays(found[0].train)[0])


def test_hundred_classes(tmp_path: Path) -> None:
    for part, count in (("train", 120), ("test", 100)):
        values = cifar_values(count, 100, 0)
        write_cifar_binary(tmp_path / "b" / f"{part}.bin", *values, coarse=True)
        write_cifar_pickle(tmp_path / "p" / part, *values, key="fine_labels")
    for form in "bp":
        data = load("cifar100", tmp_path / form)
        assert len(set(data.classes)) == 100
        assert (data.classes[0], data.classes[-1], data.notes) == ("apple", "worm", ())
        assert data.test.labels.tolist() == list(range(100))


def test_partial_sets_say_so(tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "test_batch.bin").rename(tmp_path / "test_batch_first12.bin")
    data = load("cifar10", tmp_path)
    assert data.notes == (
        "2 of 5 training batches are there: 60 images",
        "the test images are those of test_batch_first12.bin",
    )
    write_cifar_binary(tmp_path / "test_batch_other.bin", *cifar_values(1, 10, 3))
    with pytest.raises(DataError, match=r"one test file .* found test_batch_first12.bin, test_batch_other.bin"):
        load("cifar10", tmp_path)


def test_a_test_file_of_choice(tmp_path: Path) -> None:
    write_binary(tmp_path)
    pixels, labels = cifar_values(7, 10, 9)
    np.savez(tmp_path / "other.npz", X=pixels.transpose(0, 2, 3, 1), y=labels)
    x, y = arrays(load("cifar10", tmp_path, test=tmp_path / "other.npz").test)
    np.testing.assert_array_equal(x, pixels / np.float32(255))
    np.testing.assert_array_equal(y, labels)
    np.savez(tmp_path / "other.npz", X=pixels, y=labels)
    with pytest.raises(DataError, match=r"other.npz: X of shape \(N, 32, 32, 3\) uint8 expected"):
        load("cifar10", tmp_path, test=tmp_path / "other.npz")


def test_smaller_windows(tmp_path: Path) -> None:
    write_binary(tmp_path)
    data = load("cifar10", tmp_path, size=24)
    assert (data.shape, data.augment) == ((3, 24, 24), Flip())
    np.testing.assert_array_equal(arrays(data.test)[0], cifar_values(12, 10, 3)[0][:, :, 4:28, 4:28] / np.float32(255))
    first, second = arrays(data.train)[0], arrays(data.train)[0]
    assert first.shape[1:] == (3, 24, 24)
    assert (first != second).any((1, 2, 3)).mean() > 0.8
    with pytest.raises(UsageError, match="size: 1 to 32 expected, found 33"):
        load("cifar10", tmp_path, size=33)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "one or more records of 3073 bytes expected, found 0 bytes"),
        (bytes(3074), "found 3074 bytes"),
        (bytes(3072), "found 3072 bytes"),
        (bytes(3073) + b"\x0a" + bytes(3072), "labels from 0 to 9 expected, found 10 at image 1"),
    ],
)
def test_damaged_binary_batches(content: bytes, message: str, tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(content)
    with pytest.raises(DataError, match=rf"data_batch_2.bin: .*{message}"):
        load("cifar10", tmp_path)


def test_missing_batches(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"training batches data_batch_1.bin or data_batch_1 expected, found none"):
        load("cifar10", tmp_path)
    write_binary(tmp_path)
    (tmp_path / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=r"one test file test_batch.bin or test_batch expected, found none"):
        load("cifar10", tmp_path)
    with pytest.raises(DataError, match=r"absent.bin: a file of binary records expected, found No such file"):
        load("cifar10", tmp_path, test=tmp_path / "absent.bin")


class Malicious:
    """Runs a command when it is unpickled by a reader that trusts the file."""

    def __init__(self, call: Callable[..., Any], *arguments: object) -> None:
        self.reduced = call, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.reduced


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_pickle_runs_nothing(protocol: int, tmp_path: Path) -> None:
    trap, path = tmp_path / "ran", tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({"data": Malicious(os.mkdir, str(trap))}, protocol))
    pickle.loads(path.read_bytes())
    assert trap.exists(), "the test's own pickle does nothing"
    trap.rmdir()
    with pytest.raises(DataError, match=r"data_batch_1: a pickle of plain values .*found posix.mkdir, which is not"):
        read_pickle(path)
    assert not trap.exists()


@pytest.mark.parametrize("call", [eval, getattr, np.load, np.zeros, bytearray], ids=lambda call: call.__name__)
def test_nothing_else_is_called(call: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pickle.dumps(Malicious(call, 10**12)))
    with pytest.raises(DataError, match="which is not read"):
        read_pickle(tmp_path / "x")


GOOD = cifar_values(2, 10, 0)[0].reshape(2, -1)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([1, 2], "a dictionary expected, found list"),
        ({"labels": [0, 1]}, "data of shape .* expected, found none"),
        (
            {"data": GOOD[:, :-1], "labels": [0, 1]},
            r"data of shape \(N, 3072\) uint8 expected, found \(2, 3071\) uint8",
        ),
        ({"data": GOOD.astype(np.int16), "labels": [0, 1]}, "found .* int16"),
        ({"data": GOOD.astype(object), "labels": [0, 1]}, "an array of whole numbers expected"),
        ({"data": GOOD.astype(np.float32), "labels": [0, 1]}, "an array of whole numbers expected"),
        ({"data": GOOD}, "labels as a list of 2 whole numbers expected, found none"),
        ({"data": GOOD, "labels": [0]}, "labels as a list of 2 whole numbers expected, found a list of 1"),
        ({"data": GOOD, "labels": [0, "1"]}, "labels as a list of 2 whole numbers"),
        ({"data": GOOD, "labels": [0, 10**30]}, "labels as a list of 2 whole numbers"),
        ({"data": GOOD, "labels": [0, -1]}, "labels from 0 to 9 expected, found -1 at image 1"),
    ],
)
def test_pickles_of_other_things(record: object, message: str, tmp_path: Path) -> None:
    write_pickles(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(record, 4))
    with pytest.raises(DataError, match=f"data_batch_1: .*{message}"):
        load("cifar10", tmp_path)


def test_damaged_pickles(tmp_path: Path) -> None:
    """Cut short at many places, and with single bytes changed: read as it was, or refused in one line."""
    write_cifar_pickle(tmp_path / "whole", GOOD[:1, :60], np.array([1]))
    content = (tmp_path / "whole").read_bytes()
    damaged = [content[:length] for length in range(0, len(content), 3)]
    damaged += [
        content[:i] + bytes([value]) + content[i + 1 :] for i in range(len(content)) for value in (0, 46, 82, 98)
    ]
    refused: list[str] = []
    for variant in damaged:
        (tmp_path / "x").write_bytes(variant)
        try:
            read_pickle(tmp_path / "x")
        except DataError as error:
            refused.append(str(error))
    assert len(refused) > 300
    assert not [message for message in refused if "\n" in message]


def test_the_real_batches() -> None:
    folder = data_file("cifar10", "data_batch_1.bin").parent
    data = load("cifar10", folder)
    assert len(data.train) + len(data.validation) in (20_000, 50_000)
    assert np.bincount(data.train.labels).min() > 0.08 * len(data.train)
    x, y = arrays(data.test, 1000)
    assert y[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    np.testing.assert_allclose(x.mean((0, 2, 3)), [0.49, 0.48, 0.45], atol=0.02)
