"""CIFAR-10 and CIFAR-100 in both official forms: binary batches and Python's.

Binary (A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009): records of one label byte
(CIFAR-100: coarse, then fine) and 3,072 bytes of pixels, the red plane first, rows from the top. Python: pickles
of a dictionary with `data` (N, 3072) uint8 in the same order and `labels` or `fine_labels`.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError, UsageError
from onnx2snn.training.data.augment import Chain, Crop, Flip
from onnx2snn.training.data.dataset import Options, Parts
from onnx2snn.training.data.pixels import Pixels, check_labels
from onnx2snn.training.data.plain_pickle import LARGEST, read_pickle

SIDE, PLANES = 32, 3
PIXELS = PLANES * SIDE * SIDE

TEN = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
HUNDRED = tuple(
    """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
    tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm""".split()  # noqa: SIM905 - a list of them takes a hundred lines
)


@dataclass(frozen=True)
class Form:
    """What tells the two data sets apart."""

    classes: tuple[str, ...]
    label_bytes: int
    """of a binary record; the last one is the class"""
    labels: str
    """key of the classes in a pickle"""
    train: tuple[str, ...]
    test: str


CIFAR10 = Form(TEN, 1, "labels", tuple(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
CIFAR100 = Form(HUNDRED, 2, "fine_labels", ("train",), "test")


def read_cifar10(folder: Path, options: Options) -> Parts:
    """Any of the five training batches, and the test batch or its first part (`test_batch_first1000.bin`)."""
    return _read(folder, options, CIFAR10)


def read_cifar100(folder: Path, options: Options) -> Parts:
    """The hundred fine classes."""
    return _read(folder, options, CIFAR100)


def _read(folder: Path, options: Options, form: Form) -> Parts:
    if options.size is not None and not 1 <= options.size <= SIDE:
        raise UsageError(f"size: 1 to {SIDE} expected, found {options.size}")
    batches = [path for name in form.train if (path := _find(folder, name)) is not None]
    if not batches:
        raise DataError(f"{folder}: training batches {form.train[0]}.bin or {form.train[0]} expected, found none")
    test = _test_file(folder, form) if options.test is None else options.test
    train = _join([_file(path, form) for path in batches], options.size)
    notes = (
        []
        if len(batches) == len(form.train)
        else [f"{len(batches)} of {len(form.train)} training batches are there: {len(train)} images"]
    )
    if test.name not in (form.test, f"{form.test}.bin"):
        notes.append(f"the test images are those of {test.name}")
    whole = options.size in (None, SIDE)
    augment = Chain((Crop(pad=4), Flip())) if whole else Flip()
    return Parts(train, _join([_file(test, form)], options.size), form.classes, augment, tuple(notes))


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.bin", folder / name) if path.is_file()), None)


def _test_file(folder: Path, form: Form) -> Path:
    path = _find(folder, form.test)
    some = [path] if path is not None else sorted(folder.glob(f"{form.test}_*.bin"))
    if len(some) != 1:
        found = ", ".join(path.name for path in some) or "none"
        raise DataError(f"{folder}: one test file {form.test}.bin or {form.test} expected, found {found}")
    return some[0]


def _join(files: list[tuple[np.ndarray, np.ndarray]], size: int | None) -> Pixels:
    x, y = (np.concatenate(arrays) for arrays in zip(*files, strict=True))
    return Pixels(x, y, window=None if size == SIDE else size)


def _file(path: Path, form: Form) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 3, 32, 32) uint8 and labels (N,) int64 of one file, whichever form it has."""
    if path.suffix == ".npz":
        x, y = _read_npz(path)
    elif path.suffix == ".bin":
        x, y = _read_binary(path, form)
    else:
        x, y = _read_python(path, form)
    check_labels(y, len(form.classes), path)
    return x.reshape(-1, PLANES, SIDE, SIDE), y.astype(np.int64)


def _read_binary(path: Path, form: Form) -> tuple[np.ndarray, np.ndarray]:
    record = form.label_bytes + PIXELS
    try:
        size = path.stat().st_size
        if size > LARGEST or size % record or not size:
            raise DataError(f"{path}: one or more records of {record} bytes expected, found {size} bytes")
        records = np.fromfile(path, np.uint8).reshape(-1, record)
    except OSError as error:
        raise DataError(f"{path}: a file of binary records expected, found {error.strerror}") from None
    return records[:, form.label_bytes :], records[:, form.label_bytes - 1]


def _read_python(path: Path, form: Form) -> tuple[np.ndarray, np.ndarray]:
    found = read_pickle(path)
    x, y = found.get("data"), found.get(form.labels)
    if not isinstance(x, np.ndarray) or x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != PIXELS or not len(x):
        raise DataError(f"{path}: data of shape (N, {PIXELS}) uint8 expected, found {_kind(x)}")
    if not isinstance(y, list) or len(y) != len(x) or not all(type(i) is int and abs(i) < 1 << 31 for i in y):
        raise DataError(f"{path}: {form.labels} as a list of {len(x)} whole numbers expected, found {_kind(y)}")
    return x, np.array(y, np.int64)


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """X (N, 32, 32, 3) uint8 and y (N,) of an .npz."""
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = file["X"], file["y"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError) as error:
        raise DataError(f"{path}: an .npz file of X and y expected, found {error}") from None
    if x.dtype != np.uint8 or x.shape[1:] != (SIDE, SIDE, PLANES) or not len(x):
        raise DataError(f"{path}: X of shape (N, {SIDE}, {SIDE}, {PLANES}) uint8 expected, found {_kind(x)}")
    if y.dtype.kind not in "iu" or y.shape != x.shape[:1]:
        raise DataError(f"{path}: y of {len(x)} whole numbers expected, found {_kind(y)}")
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y


def _kind(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "none" if value is None else type(value).__name__
