"""Which images train, which select the model, which test: drawn once by seed, kept in a file, read back."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError, UsageError, located
from onnx2snn.training.data.dataset import Images

FORMAT = "onnx2snn split 1"
TEST_SHARE = 5
"""One image in so many is a test image where the data set does not say."""


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the images of a training part that are held out for validation and for the test.

    `test` is empty where the data set has a test part of its own. The rest trains.
    """

    data: str
    seed: int
    images: int
    digest: str
    validation: np.ndarray
    test: np.ndarray

    def train(self) -> np.ndarray:
        """The indices of all other images, rising."""
        return np.setdiff1d(np.arange(self.images), np.concatenate([self.validation, self.test]))


def draw(name: str, images: Images, seed: int, held_out: int | None, *, test: bool) -> Split:
    """A split by seed; `held_out` images validate, a tenth and 5,000 at most unless it is given.

    With `test`, one image in five of each class is a test image before that, so that small classes are in both.
    """
    random = np.random.default_rng(seed)
    tested = _one_in(TEST_SHARE, images.labels, random) if test else np.zeros(0, np.int64)
    rest = np.setdiff1d(np.arange(len(images)), tested)
    count = min(5000, max(1, len(rest) // 10)) if held_out is None else held_out
    if not 1 <= count < len(rest):
        raise UsageError(f"held_out: 1 to {len(rest) - 1} images expected (there are {len(rest)}), found {count}")
    validation = rest[random.permutation(len(rest))[:count]]
    return Split(name, seed, len(images), images.digest(), np.sort(validation), np.sort(tested))


def _one_in(share: int, labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    picked = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        picked.append(random.permutation(own)[: round(len(own) / share)])
    return np.concatenate(picked)


def write_split(path: Path, split: Split) -> None:
    """Writes the split as JSON in one step; processes that write the same split at once do no harm."""
    record = {"format": FORMAT, "data": split.data, "seed": split.seed, "images": split.images, "digest": split.digest}
    record |= {"validation": split.validation.tolist(), "test": split.test.tolist()}
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".split-", delete=False) as file:
            partial = Path(file.name)
            file.write(json.dumps(record) + "\n")
        os.replace(partial, path)
    except OSError as error:
        raise DataError(f"{path}: the split cannot be written: {error.strerror}") from None
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def read_split(path: Path, name: str, images: Images, *, test: bool) -> Split:
    """The split in a file. Raises DataError where it is none, or one of other images than these."""
    with located(str(path)):
        record = _record(path)
        _expect("data", name, record)
        _expect("images", len(images), record)
        digest = images.digest()
        _expect("digest", digest, record)
        validation, tested = (_indices(key, record, len(images)) for key in ("validation", "test"))
        if bool(len(tested)) != test or not len(validation):
            raise DataError(
                f"images for validation{' and test' * test} expected, found {len(validation)}, {len(tested)}"
            )
        if len(np.unique(np.concatenate([validation, tested]))) != len(validation) + len(tested):
            raise DataError("each image in one part expected, found one twice")
        if len(validation) + len(tested) >= len(images):
            raise DataError("images left to train on expected, found none")
        seed = record.get("seed")
        if not isinstance(seed, int):
            raise DataError(f"a whole number as seed expected, found {seed!r}")
        return Split(name, seed, len(images), digest, validation, tested)


def _record(path: Path) -> Mapping[str, object]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"a split in JSON expected, found {error}") from None
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise DataError(f"format {FORMAT!r} expected, found {found!r}")
    return record


def _expect(key: str, expected: str | int, record: Mapping[str, object]) -> None:
    if record.get(key) != expected:
        raise DataError(f"a split of other images: {key} {expected!r} expected, found {record.get(key)!r}")


def _indices(key: str, record: Mapping[str, object], count: int) -> np.ndarray:
    found = record.get(key)
    if not isinstance(found, list) or not all(type(i) is int and 0 <= i < count for i in found):
        raise DataError(f"{key}: a list of indices from 0 to {count - 1} expected")
    return np.array(found, np.int64)
