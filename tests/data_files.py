"""Writes tiny data sets in the form of the real ones."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def idx_header(*shape: int, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


def write_idx(path: Path, values: np.ndarray) -> None:
    """An IDX file, gzipped if its name ends in .gz."""
    content = idx_header(*values.shape) + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def write_mnist(folder: Path, train: int = 20, test: int = 10, size: int = 28, suffix: str = ".gz") -> None:
    """Random images; the label of image i is i % 10."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", test)):
        write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", rng.integers(0, 256, (count, size, size)))
        write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", np.arange(count) % 10)
