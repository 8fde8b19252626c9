"""Reads a pickle of plain values and uint8 or whole-number arrays without running anything it names.

Nothing of NumPy is called while the file is read either: an array is a stand-in that keeps its shape, type and
bytes, and becomes an array when these have been checked.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np

from onnx2snn.errors import DataError

LARGEST = 1 << 28
"""Bytes of a file at most: CIFAR's largest has 186 MB."""

KINDS = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")


class _Kind:
    """Stands in for a NumPy type."""

    __slots__ = ("code", "order")

    def __init__(self, code: object) -> None:
        self.code, self.order = code, "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]


class _Array:
    """Stands in for an array."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Call:
    """What a pickle calls: has no attributes that it could set."""

    __slots__ = ()


class _Reconstruct(_Call):
    def __call__(self, *_: object) -> _Array:
        return _Array()


class _FromBuffer(_Call):
    """How protocol 5 makes an array."""

    def __call__(self, values: object, kind: object, shape: object, order: object) -> _Array:
        array = _Array()
        array.state = None, shape, kind, order == "F", values
        return array


class _MakeKind(_Call):
    def __call__(self, code: object, *_: object) -> _Kind:
        return _Kind(code)


class _Encode(_Call):
    """How Python 3 writes bytes in protocol 2."""

    def __call__(self, text: str, coding: str) -> bytes:
        if coding != "latin1":
            raise pickle.UnpicklingError(f"the coding {coding!r}")
        return text.encode("latin1")


class _Nothing(_Call):
    """`numpy.ndarray`, which is only ever an argument; `bytes`, called to make empty ones."""

    def __call__(self) -> bytes:
        return b""


ALLOWED: dict[tuple[str, str], type[_Call]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy._core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy", "dtype"): _MakeKind,
    ("numpy", "ndarray"): _Nothing,
    ("_codecs", "encode"): _Encode,
    ("__builtin__", "bytes"): _Nothing,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> _Call:
        kind = ALLOWED.get((module, name))
        if kind is None:
            raise pickle.UnpicklingError(f"{module}.{name}, which is not read")
        return kind()


def read_pickle(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle, its keys as text, its arrays as arrays of whole numbers; byte strings stay bytes.

    Raises DataError where the file is missing, damaged, too large, or holds anything else than such a dictionary.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        found = _Reader(io.BytesIO(content), encoding="bytes").load() if len(content) <= LARGEST else None
    except Exception as error:  # noqa: BLE001 - a damaged pickle can raise anything
        text = str(error) or type(error).__name__
        raise DataError(
            f"{path}: a pickle of plain values and arrays expected, found {' '.join(text.split())}"
        ) from None
    if len(content) > LARGEST:
        raise DataError(f"{path}: {LARGEST} bytes at most expected, found more")
    if not isinstance(found, dict):
        raise DataError(f"{path}: a dictionary expected, found {type(found).__name__.strip('_')}")
    return {_text(key): _value(value, path) for key, value in found.items()}


def _text(key: object) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


def _value(value: object, path: Path) -> object:
    return _array(value, path) if isinstance(value, _Array) else value


def _array(stand_in: _Array, path: Path) -> np.ndarray:
    try:
        _, shape, kind, fortran, values = stand_in.state
        if kind.code in KINDS and kind.order in ("<", ">", "|", "=") and isinstance(values, bytes | bytearray):
            dtype = np.dtype(f"{kind.order}{kind.code}")
            if all(type(axis) is int and axis >= 0 for axis in shape) and math.prod(shape) * dtype.itemsize == len(
                values
            ):
                return np.frombuffer(bytearray(values), dtype).reshape(shape, order="F" if fortran else "C")
    except (TypeError, ValueError, AttributeError, struct.error):
        pass
    raise DataError(f"{path}: an array of whole numbers expected, found something else in its place")
