"""What a data set is: three parts of labelled images, and how to vary those that are trained on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from onnx2snn.training.data.augment import Augment

if TYPE_CHECKING:
    from onnx2snn.training.data.splits import Split


class Images(Dataset[tuple[Tensor, int]], ABC):
    """Labelled images; an item is (image float32 (C, H, W) in [0, 1], class)."""

    shape: tuple[int, int, int]
    """(C, H, W) of every item"""
    labels: np.ndarray
    """classes (N,) int64"""

    @abstractmethod
    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """The images (B, C, H, W) float32 and classes (B,) int64 at `indices`."""

    @abstractmethod
    def part(self, picked: np.ndarray, *, training: bool) -> Self:
        """The images at the indices `picked`. For `training`, crops that are centred elsewhere fall at random, with
        the random numbers of torch's default generator, which a DataLoader seeds in each of its workers."""

    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of what tells these images from others."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        x, y = self.batch([index])
        return x[0], int(y[0])

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, int]]:
        """Many items at once: what a DataLoader asks for."""
        x, y = self.batch(indices)
        return list(zip(x.unbind(), y.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class DataSet:
    """`validation` is held out of the training part; neither it nor `test` is ever augmented.

    `augment` maps a batch of training images (B, C, H, W) to one of the same shape; None where the training
    images vary by themselves. `split` says which images are in which part. `notes` say what is unusual about the files
    that were found.
    """

    name: str
    train: Images
    validation: Images
    test: Images
    split: Split
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    augment: Augment | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """What a reader may be asked for beside its folder."""

    size: int | None = None
    """side of the images in pixels"""
    test: Path | None = None
    """the test file, where it is not the usual one"""


@dataclass(frozen=True, eq=False)
class Parts:
    """What a reader finds. Without a test part of its own (`test` None), one image in five becomes it."""

    train: Images
    test: Images | None
    classes: tuple[str, ...]
    augment: Augment | None
    notes: tuple[str, ...] = ()
