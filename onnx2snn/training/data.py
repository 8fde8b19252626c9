"""Reads MNIST-like data sets in their original form: four gzipped IDX files.

IDX (Y. LeCun, C. Cortes, C. Burges, "The MNIST database"): two zero bytes, a type byte (0x08 = uint8), the
number of axes, each axis as a big-endian uint32, then the values, last axis fastest.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError

LARGEST = 1 << 28
"""Bytes of values at most: more is not one of these files, and a gzip bomb ends here."""


@dataclass(frozen=True, eq=False)
class Images:
    """x (N, 1, H, W) float32 in [0, 1] and classes y (N,) int64."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def split(self, held_out: int, seed: int) -> tuple[Images, Images]:
        """(the rest, `held_out` images picked at random)."""
        order = np.random.default_rng(seed).permutation(len(self))
        kept, picked = order[held_out:], order[:held_out]
        return Images(self.x[kept], self.y[kept]), Images(self.x[picked], self.y[picked])


def default_data(root: Path) -> Path:
    """The folder of data sets: $ONNX2SNN_DATA, else `shared/data` beside the project's root."""
    return Path(os.environ.get("ONNX2SNN_DATA") or root.parent / "shared" / "data")


def load_images(folder: Path, part: str) -> Images:
    """Part "train" or "t10k" of the data set in `folder`. Pixels 0..255 become x = pixel / 255.

    Raises DataError where a file is missing or is not what its header says.
    """
    pixels = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    if pixels.ndim != 3 or labels.shape != pixels.shape[:1]:
        raise DataError(f"{folder}, {part}: images {pixels.shape} and labels {labels.shape} do not fit")
    return Images((pixels[:, None] / np.float32(255)).astype(np.float32), labels.astype(np.int64))


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array of a gzipped IDX file; never reads more than the header announces, plus one byte."""
    try:
        with gzip.open(path) as file:
            shape = _read_shape(file, path)
            count = math.prod(shape)
            if count > LARGEST:
                raise DataError(f"{path}: expected at most {LARGEST} values, found {count} announced")
            values = file.read(count + 1)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"{path}: expected a gzipped IDX file, found {error}") from error
    if len(values) != count:
        raise DataError(f"{path}: expected {count} values, found {'more' if len(values) > count else len(values)}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_shape(file: gzip.GzipFile, path: Path) -> tuple[int, ...]:
    zeros, kind, axes = struct.unpack(">HBB", file.read(4))
    if zeros != 0 or kind != 8 or not 1 <= axes <= 4:
        raise DataError(f"{path}: expected an IDX header of uint8 values with 1 to 4 axes")
    return struct.unpack(f">{axes}I", file.read(4 * axes))
