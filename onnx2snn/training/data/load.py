"""`load`: a data set by its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError, UnknownNameError, UsageError
from onnx2snn.training.data.cifar import read_cifar10, read_cifar100
from onnx2snn.training.data.dataset import DataSet, Images, Options, Parts
from onnx2snn.training.data.idx import read_fashion, read_mnist
from onnx2snn.training.data.image_folder import read_image_folder
from onnx2snn.training.data.lfw import read_lfw
from onnx2snn.training.data.splits import Split, draw, read_split, write_split


@dataclass(frozen=True)
class Source:
    """A kind of data set: its reader, the subfolders that its files may lie in, the options it takes."""

    read: Callable[[Path, Options], Parts]
    subfolders: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


SOURCES: Mapping[str, Source] = {
    "mnist": Source(read_mnist, ("mnist", "MNIST/raw")),
    "fashion-mnist": Source(read_fashion, ("fashion_mnist", "fashion-mnist", "FashionMNIST/raw")),
    "cifar10": Source(read_cifar10, ("cifar10", "cifar-10-batches-bin", "cifar-10-batches-py"), ("size", "test")),
    "cifar100": Source(read_cifar100, ("cifar100", "cifar-100-binary", "cifar-100-python"), ("size", "test")),
    "lfw": Source(read_lfw, ("lfw", "lfw_funneled", "lfw-deepfunneled"), ("size",)),
    "image-folder": Source(read_image_folder, (), ("size",)),
}
NAMES = tuple(SOURCES)


def default_data(root: Path) -> Path:
    """The folder of data sets: $ONNX2SNN_DATA, else `shared/data` beside the project's root."""
    return Path(os.environ.get("ONNX2SNN_DATA") or root.parent / "shared" / "data")


def load(
    name: str,
    folder: Path,
    *,
    seed: int = 0,
    limit: int | None = None,
    held_out: int | None = None,
    split: Path | None = None,
    size: int | None = None,
    test: Path | None = None,
) -> DataSet:
    """The data set `name` (one of NAMES) in `folder`, or in a subfolder of the usual name (`folder`/mnist).

    `held_out` images of the training part validate (a tenth, 5,000 at most, unless given), drawn by `seed`. With
    `split`, the draw is written to that file, or taken from it where it exists, whatever the seed: later runs see
    the same parts. `limit` takes at most so many images of each part, at random by `seed`, after the split. `size`
    is the side of the images where it can be chosen, `test` a test file other than the usual one.

    Raises UnknownNameError, UsageError on options that do not fit, DataError on files that are missing or damaged.
    """
    if name not in SOURCES:
        raise UnknownNameError(f"no data set {name!r}; known: {', '.join(SOURCES)}")
    if limit is not None and limit < 1:
        raise UsageError(f"limit: one image or more expected, found {limit}")
    source = SOURCES[name]
    for option, value in (("size", size), ("test", test)):
        if value is not None and option not in source.options:
            raise UsageError(f"{name}: the option {option} is not for this data set")
    parts = source.read(_locate(Path(folder), source.subfolders), Options(size, test))
    chosen = _split(name, parts, seed, held_out, split)

    def cut(images: Images, picked: np.ndarray, training: bool = False) -> Images:
        if limit is not None and limit < len(picked):
            picked = np.sort(np.random.default_rng(seed).permutation(picked)[:limit])
        return images.part(picked, training=training)

    tested = cut(parts.train, chosen.test) if parts.test is None else cut(parts.test, np.arange(len(parts.test)))
    return DataSet(
        name=name,
        train=cut(parts.train, chosen.train(), training=True),
        validation=cut(parts.train, chosen.validation),
        test=tested,
        shape=parts.train.shape,
        classes=parts.classes,
        augment=parts.augment,
        split=chosen,
        notes=parts.notes,
    )


def _locate(folder: Path, subfolders: tuple[str, ...]) -> Path:
    """`folder`, or the innermost of the usual subfolders of it."""
    if not folder.is_dir():
        raise DataError(
            f"{folder}: a folder of data expected, found {'a file' if folder.exists() else 'nothing there'}"
        )
    inner = next((folder / name for name in subfolders if (folder / name).is_dir()), None)
    return folder if inner is None else _locate(inner, subfolders)


def _split(name: str, parts: Parts, seed: int, held_out: int | None, path: Path | None) -> Split:
    drawn = parts.test is None
    if path is None or not path.exists():
        split = draw(name, parts.train, seed, held_out, test=drawn)
        if path is not None:
            write_split(path, split)
        return split
    split = read_split(path, name, parts.train, test=drawn)
    if held_out is not None and held_out != len(split.validation):
        raise DataError(f"{path}: {held_out} images for validation expected, found {len(split.validation)}")
    return split
