"""Results of batches kept on disk as they come, so that an interrupted evaluation can go on."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError, UsageError
from onnx2snn.flow.data import write_arrays
from onnx2snn.ir import Array

KEY = "evaluation.json"


@dataclass(frozen=True)
class Task:
    """A batch of samples `start` to `stop` in run number `repeat`."""

    repeat: int
    start: int
    stop: int

    @property
    def file(self) -> str:
        """Name of the file that keeps its result."""
        return f"{self.repeat}-{self.start}-{self.stop}.npz"


def tasks(samples: int, size: int, repeats: int) -> list[Task]:
    """All batches of at most `size` samples, in order."""
    starts = range(0, samples, size)
    return [Task(repeat, start, min(start + size, samples)) for repeat in range(repeats) for start in starts]


class Partial:
    """A folder beside the file of results, with a file for each batch that is done; each appears whole or not at all.

    key: what the evaluation is of (artifact, data, options). Results of another are never mixed in.
    """

    def __init__(self, results: Path, key: dict[str, str]) -> None:
        self.folder = results.with_name(f"{results.name}.partial")
        self.key = key

    def prepare(self, resume: bool) -> None:
        """Makes the folder, empty unless `resume`; raises `UsageError` where something else would be lost."""
        if self.folder.exists():
            found = self._found()
            if resume and found != self.key:
                different = ", ".join(name for name in self.key if found.get(name) != self.key[name])
                raise UsageError(
                    f"{self.folder}: partial results of another evaluation ({different} differs); run without `resume`"
                )
            if not resume:
                shutil.rmtree(self.folder)
        try:
            self.folder.mkdir(exist_ok=True)
            (self.folder / KEY).write_text(json.dumps(self.key, indent=2), encoding="utf-8")
        except OSError as error:
            raise DataError(f"{self.folder}: cannot be written: {error.strerror}") from None

    def _found(self) -> dict[str, str]:
        try:
            found = json.loads((self.folder / KEY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UsageError(f"{self.folder}: exists and holds no partial results; it is left alone") from None
        return found if isinstance(found, dict) else {}

    def load(self, task: Task) -> dict[str, Array] | None:
        """The result of a batch, if it is there and whole."""
        path = self.folder / task.file
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (OSError, ValueError, zipfile.BadZipFile, zlib.error):
            return None

    def save(self, task: Task, arrays: Mapping[str, Array]) -> None:
        """Keeps the result of a batch."""
        write_arrays(self.folder / task.file, dict(arrays))

    def remove(self) -> None:
        """Removes everything, once the whole result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def digest(values: object) -> str:
    """A hash of the text of something."""
    return hashlib.sha256(repr(values).encode()).hexdigest()
