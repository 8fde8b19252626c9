"""Sets of the size of ImageNet: one folder a class under train/ and val/, decoded when an image is asked for."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from onnx2snn.errors import DataError, UsageError
from onnx2snn.training.data.dataset import Images, Options, Parts
from onnx2snn.training.data.pictures import Box, centre, decode, image_names, need_pillow, resized, subfolders

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE = 224
MARGIN = 256 / 224
"""The middle of an image to test with: 224 of 256 pixels of its shorter side."""
AREA, ASPECT = (0.1, 1.0), (0.8, 1.25)
"""Of the random part of an image to train on: its share of the area, its width over its height."""
TRIES = 10


class Files(Images):
    """Image files under `root` and their classes (N,), each (3, size, size).

    The middle of each, or, in a part for training, a random part mirrored or not (C. Szegedy et al., "Going
    deeper with convolutions", 2015, with the bounds above), with the random numbers of torch's default
    generator. Decode in the worker processes of a DataLoader. Reading a damaged file raises DataError.
    """

    def __init__(self, root: Path, names: Sequence[str], labels: np.ndarray, size: int) -> None:
        self._root, self._random = root, False
        self._names = np.array([os.fsencode(name) for name in names])  # one block: workers share its memory
        self.labels = labels.astype(np.int64)
        self.shape = (3, size, size)

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        picked = np.asarray(indices, np.int64)
        pixels = np.stack([self._pixels(self._root / os.fsdecode(name)) for name in self._names[picked]])
        return torch.from_numpy(pixels).to(torch.float32) / 255, torch.from_numpy(self.labels[picked])

    def _pixels(self, path: Path) -> np.ndarray:
        image, size = decode(path), self.shape[-1]
        if not self._random:
            return resized(image, centre(image, min(image.size) / MARGIN), size)
        pixels = resized(image, random_part(image), size)
        return np.flip(pixels, -1) if torch.rand(()) < 0.5 else pixels

    def part(self, picked: np.ndarray, *, training: bool) -> Self:
        part = copy(self)
        part._names, part.labels, part._random = self._names[picked], self.labels[picked], training
        return part

    def digest(self) -> str:
        return hashlib.sha256(b"\0".join(self._names.tolist()) + self.labels.tobytes()).hexdigest()


def random_part(image: Image) -> Box:
    """A part of random area and aspect at a random place; the middle square where none fits."""
    width, height = image.size
    for _ in range(TRIES):
        area, aspect, across, down = torch.rand(4).tolist()
        share = width * height * (AREA[0] + area * (AREA[1] - AREA[0]))
        ratio = ASPECT[0] * math.exp(aspect * math.log(ASPECT[1] / ASPECT[0]))
        wide, high = math.sqrt(share * ratio), math.sqrt(share / ratio)
        if wide <= width and high <= height:
            left, top = across * (width - wide), down * (height - high)
            return left, top, min(left + wide, width), min(top + high, height)
    return centre(image, math.inf)


def read_image_folder(folder: Path, options: Options) -> Parts:
    """The classes are the folders under train/; the images under val/ are the test part."""
    need_pillow()
    size = SIZE if options.size is None else options.size
    if size < 1:
        raise UsageError(f"size: one pixel or more expected, found {size}")
    classes = subfolders(folder / "train")
    if len(classes) < 2:
        raise DataError(f"{folder / 'train'}: a folder for each of 2 classes or more expected, found {len(classes)}")
    unknown = sorted(set(subfolders(folder / "val")) ^ set(classes))
    if unknown:
        raise DataError(f"{folder / 'val'}: the classes of train/ expected, found a difference in {unknown[0]!r}")
    train, test = (_files(folder / part, classes, size) for part in ("train", "val"))
    return Parts(train, test, tuple(classes), None)


def _files(root: Path, classes: list[str], size: int) -> Files:
    names: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        images = image_names(root / name)
        if not images:
            raise DataError(f"{root / name}: image files expected, found none")
        names += [f"{name}/{image}" for image in images]
        labels += [label] * len(images)
    return Files(root, names, np.array(labels), size)
