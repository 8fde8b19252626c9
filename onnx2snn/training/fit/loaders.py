"""Batches for one process or several: together the processes see what one alone would see.

The order of an epoch depends on the seed and the epoch's number. Batch b of a training epoch is the same set of images
however many processes share it, each taking an equal part; a last batch that is not full is left out. Evaluation meets
every image once, in as many batches on each process (in-step communication would wait for ever otherwise).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler, Subset, TensorDataset

from onnx2snn.errors import DataError, UsageError
from onnx2snn.training.data.augment import Augment


class LabelledImages(Protocol):
    """What a trainer needs of a data set; `onnx2snn.training.data.DataSet` is one, `array_data` makes another.

    Items are (image float32 (C, H, W) in [0, 1], class); `augment` works on a batch of training images.
    """

    @property
    def name(self) -> str: ...
    @property
    def train(self) -> Dataset[Any]: ...
    @property
    def validation(self) -> Dataset[Any]: ...
    @property
    def test(self) -> Dataset[Any]: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def augment(self) -> Augment | None: ...


@dataclass(frozen=True)
class ArrayData:
    """Images and classes held in memory; see `array_data`."""

    name: str
    train: Dataset[Any]
    validation: Dataset[Any]
    test: Dataset[Any]
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    augment: Augment | None = None


def array_data(
    name: str,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    classes: Sequence[str],
    augment: Augment | None = None,
) -> ArrayData:
    """Data of your own for `fit`: each part is images x (N, C, H, W) and classes y (N,), y < len(classes)."""
    for part, (x, y) in {"train": train, "validation": validation, "test": test}.items():
        if x.ndim != 4 or x.shape[1:] != train[0].shape[1:] or y.shape != x.shape[:1]:
            raise DataError(
                f"{name}, {part}: images (N, C, H, W) and classes (N,) expected, found {x.shape} and {y.shape}"
            )
        if not len(y) or y.min() < 0 or y.max() >= len(classes):
            raise DataError(f"{name}, {part}: classes from 0 to {len(classes) - 1} expected")
    channels, height, width = train[0].shape[1:]
    shape = (channels, height, width)
    return ArrayData(name, _items(*train), _items(*validation), _items(*test), shape, tuple(classes), augment)


def _items(x: np.ndarray, y: np.ndarray) -> Dataset[Any]:
    return TensorDataset(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y.astype(np.int64)))


def limited(data: Dataset[Any], most: int | None, seed: int) -> Dataset[Any]:
    """`most` of the items, picked by `seed`; all of them where `most` is None or more than there are."""
    if most is None or most >= size(data):
        return data
    picked = np.random.default_rng(seed).permutation(size(data))[:most]
    return Subset(data, np.sort(picked).tolist())


def size(data: Dataset[Any]) -> int:
    """How many items a map-style data set holds."""
    return len(cast(Sized, data))


def training_loader(
    data: Dataset[Any], batch: int, seed: int, processes: int = 1, rank: int = 0, workers: int = 0
) -> DataLoader[Any]:
    """Shuffled batches of `batch` images over all processes (or all images, where there are fewer).

    Raises `UsageError` where the batch does not split evenly, `DataError` where there are too few images.
    """
    if batch % processes:
        raise UsageError(f"a batch that {processes} processes can share equally expected, found {batch}")
    if size(data) < 2 * processes:
        raise DataError(f"at least {2 * processes} training images expected, found {size(data)}")
    order = DistributedSampler(data, processes, rank, shuffle=True, seed=seed, drop_last=True)
    each = min(batch // processes, size(data) // processes)
    return DataLoader(data, each, sampler=order, drop_last=True, **_workers(workers))


def evaluation_loader(
    data: Dataset[Any], batch: int, processes: int = 1, rank: int = 0, workers: int = 0
) -> DataLoader[Any]:
    """All images once, in order."""
    if size(data) < processes:
        raise DataError(f"at least {processes} images to evaluate on expected, found {size(data)}")
    return DataLoader(data, batch_sampler=EvenBatches(size(data), batch, processes, rank), **_workers(workers))


def _workers(count: int) -> dict[str, Any]:
    return {"num_workers": count, "persistent_workers": count > 0, "pin_memory": torch.cuda.is_available()}


class EvenBatches(Sampler[list[int]]):
    """0 .. count-1 in batches of at most `batch`, as many for each process, the sizes differing by one at most."""

    def __init__(self, count: int, batch: int, processes: int = 1, rank: int = 0) -> None:
        each = math.ceil(count / (batch * processes))
        parts = np.array_split(np.arange(count), min(each * processes, count - count % processes))
        self.batches: list[list[int]] = [part.tolist() for part in parts[rank::processes]]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)
