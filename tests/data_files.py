"""Writes tiny data sets in the form of the real ones."""

from __future__ import annotations

import gzip
import pickle
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


def cifar_values(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 3, 32, 32) uint8 at random; the label of image i is i % classes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), np.uint8)
    return pixels, np.arange(count) % classes


def write_cifar_binary(path: Path, pixels: np.ndarray, labels: np.ndarray, coarse: bool = False) -> None:
    """Label byte (behind a coarse one), then the planes."""
    columns = [labels[:, None] // 5] * coarse + [labels[:, None], pixels.reshape(len(pixels), -1)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.concatenate(columns, 1).astype(np.uint8).tobytes())


def write_cifar_pickle(
    path: Path, pixels: np.ndarray, labels: np.ndarray, key: str = "labels", protocol: int = 2
) -> None:
    """The dictionary of the Python form, its keys as bytes as Python 2 wrote them."""
    record = {b"batch_label": b"batch 1 of 5", key.encode(): labels.tolist(), b"data": pixels.reshape(len(pixels), -1)}
    record[b"filenames"] = [b"image.png"] * len(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(record, protocol))


def write_images(
    folder: Path, count: int, ending: str = ".png", size: tuple[int, int] = (20, 16), seed: int = 0
) -> None:
    """`count` random images of `size` (width, height), the last one grey."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))
        (image.convert("L") if i == count - 1 else image).save(folder / f"{folder.name}_{i + 1:04}{ending}")
