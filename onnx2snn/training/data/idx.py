"""MNIST, Fashion-MNIST and others in their form: four IDX files, gzipped or plain.

IDX (Y. LeCun, C. Cortes, C. Burges, "The MNIST database"): two zero bytes, a type byte (0x08 = uint8), the
number of axes, each axis as a big-endian uint32, then the values, last axis fastest.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from onnx2snn.errors import DataError
from onnx2snn.training.data.augment import Augment, Chain, Crop, Flip, Warp
from onnx2snn.training.data.dataset import Options, Parts
from onnx2snn.training.data.pixels import Pixels, check_labels

LARGEST = 1 << 28
"""Bytes of values at most: more is not one of these files, and a gzip bomb ends here."""

DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
FORMS = ("{}-idx{}-ubyte.gz", "{}-idx{}-ubyte", "{}.idx{}-ubyte")


def read_mnist(folder: Path, options: Options) -> Parts:
    """Digits: turned, scaled and shifted a little, never mirrored."""
    return _read(folder, DIGITS, Warp(degrees=10, zoom=0.1, shift=2))


def read_fashion(folder: Path, options: Options) -> Parts:
    """Clothes: random crops of the padded image, mirrored or not."""
    return _read(folder, CLOTHES, Chain((Crop(pad=4), Flip())))


def _read(folder: Path, classes: tuple[str, ...], augment: Augment) -> Parts:
    train, test = (_part(folder, part, len(classes)) for part in ("train", "t10k"))
    if train.shape != test.shape:
        raise DataError(f"{folder}: test images of shape {train.shape[1:]} expected, found {test.shape[1:]}")
    return Parts(train, test, classes, augment)


def _part(folder: Path, part: str, classes: int) -> Pixels:
    images, labels = _find(folder, f"{part}-images", 3), _find(folder, f"{part}-labels", 1)
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or not x.size:
        raise DataError(f"{images}: images (N, H, W) expected, found an array {x.shape}")
    if y.shape != x.shape[:1]:
        raise DataError(f"{labels}: {len(x)} labels expected, one for each image, found an array {y.shape}")
    check_labels(y, classes, labels)
    return Pixels(x[:, None], y)


def _find(folder: Path, start: str, axes: int) -> Path:
    names = [form.format(start, axes) for form in FORMS]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{folder}: a file {names[0]} or {names[1]} expected, found none")


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array of an IDX file, gzipped if its name ends in .gz; reads one byte more at most than it announces.

    Raises DataError where the file is missing, damaged or not what its header says.
    """
    compressed = path.suffix == ".gz"
    try:
        with cast("BinaryIO", gzip.open(path)) if compressed else path.open("rb") as file:
            shape = _read_shape(file, path)
            count = math.prod(shape)
            if count > LARGEST:
                raise DataError(f"{path}: expected at most {LARGEST} values, found {count} announced")
            values = bytearray(file.read(count + 1))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected {'a gzipped' if compressed else 'an'} IDX file, found {error}") from None
    if len(values) != count:
        raise DataError(f"{path}: expected {count} values, found {'more' if len(values) > count else len(values)}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_shape(file: BinaryIO, path: Path) -> tuple[int, ...]:
    start = file.read(4)
    zeros, kind, axes = struct.unpack(">HBB", start.ljust(4, b"\xff"))
    sizes = file.read(4 * axes) if zeros == 0 and kind == 8 and 1 <= axes <= 4 else b""
    if not sizes or len(sizes) != 4 * axes:
        raise DataError(f"{path}: expected an IDX header of uint8 values with 1 to 4 axes, found {start + sizes!r}")
    return struct.unpack(f">{axes}I", sizes)
