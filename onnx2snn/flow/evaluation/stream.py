"""Samples of a data file a piece at a time, so that memory does not grow with the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.lib import format as npy

from onnx2snn.errors import DataError, located
from onnx2snn.flow.data import check_kind, check_samples, check_y, opened, sound
from onnx2snn.ir import Array, Shape


class SampleStream:
    """The samples of an `.npz` file: `x`, or an array for each of several inputs, and perhaps labels `y`.

    Names, types, shapes and labels are checked when it is opened, numbers as they are read. Reading onward is cheap;
    reading backward in a compressed file begins it anew. Raises `DataError`.
    """

    def __init__(self, path: Path, inputs: Mapping[str, Shape]) -> None:
        self.path, self.inputs = path, inputs
        names = {next(iter(inputs)): "x"} if len(inputs) == 1 else {name: name for name in inputs}
        self.open = ExitStack()
        with located(str(path)), sound(path), ExitStack() as stack:
            self.archive = stack.enter_context(opened(path, needed=names.values()))
            self.columns = {name: _Column(self.archive, key, inputs[name]) for name, key in names.items()}
            counts = {column.count for column in self.columns.values()}
            if len(counts) != 1:
                raise DataError(f"as many samples of each input expected, found {sorted(counts)}")
            self.y = check_y(self.archive["y"] if "y" in self.archive.files else None, len(self))
            self.open = stack.pop_all()

    def __enter__(self) -> SampleStream:
        return self

    def __exit__(self, *_: object) -> None:
        for column in self.columns.values():
            column.file.close()
        self.open.close()

    def __len__(self) -> int:
        return next(iter(self.columns.values())).count

    def read(self, start: int, stop: int) -> Array:
        """Samples `start` to `stop`, float32, as `onnx2snn.flow.data.check_samples` gives them."""
        with located(str(self.path)), sound(self.path):
            arrays = {name: column.read(start, stop) for name, column in self.columns.items()}
            if len(arrays) > 1:
                return check_samples(arrays, self.inputs)
            return check_samples(next(iter(arrays.values())), self.inputs)

    def batches(self, size: int) -> Iterator[Array]:
        """All samples in order, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield self.read(start, min(start + size, len(self)))

    def first(self, most: int) -> Array:
        """The first samples, at most so many."""
        return self.read(0, min(most, len(self)))

    def digest(self) -> str:
        """The sha256 of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class _Column:
    """One array of the file, whose rows are read in order."""

    def __init__(self, archive: Any, key: str, shape: Shape) -> None:
        self.archive, self.key = archive, key
        self.file, self.row = self._open()
        self.shape, fortran, self.dtype = _header(self.file)
        check_kind(key, self.dtype, self.shape, shape)
        self.count = self.shape[0]
        self.whole: Array | None = archive[key] if fortran else None

    def _open(self) -> tuple[IO[bytes], int]:
        return cast("IO[bytes]", self.archive.zip.open(f"{self.key}.npy")), 0

    def read(self, start: int, stop: int) -> Array:
        if self.whole is not None:
            return self.whole[start:stop]
        if start < self.row:
            self.file.close()
            self.file, self.row = self._open()
            _header(self.file)
        size = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        while self.row < start:
            self._bytes(size)
            self.row += 1
        rows = np.frombuffer(self._bytes(size * (stop - start)), self.dtype)
        self.row = stop
        return rows.reshape(stop - start, *self.shape[1:])

    def _bytes(self, count: int) -> bytes:
        found = self.file.read(count)
        if len(found) < count:
            raise DataError(f"{self.key}: {self.count} samples expected, found the end of the file")
        return found


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded")
    return shape, fortran, dtype
