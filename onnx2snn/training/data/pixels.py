"""Images held in memory as uint8, a quarter of what float32 takes; batches become float32 when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np
import torch
from torch import Tensor

from onnx2snn.errors import DataError
from onnx2snn.training.data.augment import random_crop
from onnx2snn.training.data.dataset import Images


class Pixels(Images):
    """Pixels (N, C, H, W) uint8 and classes (N,); x = pixel / 255. Parts share the memory of the whole.

    With `window`, items are squares of that side: from the centre, or at random in a part for training.
    `names` (N,), where the images came as files, stand for them in the digest, which then does not depend on
    the size they were brought to.
    """

    def __init__(
        self, pixels: np.ndarray, labels: np.ndarray, window: int | None = None, names: Sequence[str] = ()
    ) -> None:
        self._pixels = torch.from_numpy(pixels)
        self._names = tuple(names)
        self._window, self._random = window, False
        self._picked = np.arange(len(pixels))
        self.labels = labels.astype(np.int64)
        channels, height, width = pixels.shape[1:]
        self.shape = (channels, window or height, window or width)

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        picked = np.asarray(indices, np.int64)
        x = self._cropped(self._pixels[torch.from_numpy(self._picked[picked])])
        return x.to(torch.float32) / 255, torch.from_numpy(self.labels[picked])

    def _cropped(self, x: Tensor) -> Tensor:
        if self._window is None:
            return x
        if self._random:
            return random_crop(x, self._window, self._window, None)
        top, left = ((full - self._window) // 2 for full in x.shape[-2:])
        return x[:, :, top : top + self._window, left : left + self._window]

    def part(self, picked: np.ndarray, *, training: bool) -> Self:
        part = copy(self)
        part._picked, part.labels, part._random = self._picked[picked], self.labels[picked], training
        return part

    def digest(self) -> str:
        found = hashlib.sha256(self.labels.tobytes())
        if self._names:
            found.update("\0".join(self._names[i] for i in self._picked).encode())
        else:
            found.update(self._pixels[torch.from_numpy(self._picked)].numpy().tobytes())
        return found.hexdigest()


def check_labels(labels: np.ndarray, classes: int, place: object) -> None:
    """Raises DataError where a label is no class; `place` names the file."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise DataError(
            f"{place}: labels from 0 to {classes - 1} expected, found {labels[wrong[0]]} at image {wrong[0]}"
        )
