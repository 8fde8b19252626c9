"""Samples from and results to `.npz` files."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from onnx2snn.artifact import replacing
from onnx2snn.errors import DataError, UsageError, located
from onnx2snn.ir import Array, Shape
from onnx2snn.reference import pack

KNOWN = (b"P", b"\x93", b"\x80")  #: first byte of a .npz, of a .npy, of a pickle: NumPy takes all else for a pickle


@dataclass(frozen=True)
class Samples:
    """x: float32 (N, *input shape), in the model's own layout; several inputs flattened side by side.

    y: int64 labels (N,), where there are any.
    """

    x: Array
    y: Array | None = None


def read_samples(path: Path, inputs: Mapping[str, Shape]) -> Samples:
    """Reads `x`, or an array for each of several inputs by its name, and, if present, `y`; never anything pickled.

    Raises `DataError` saying what was expected and found: file, keys, types, shapes, numbers.
    """
    with located(str(path)):
        arrays = _arrays(path, {"x", "y", *inputs}, needed={"x"} if len(inputs) == 1 else set())
        x = check_samples(arrays["x"] if len(inputs) == 1 else arrays, inputs)
        return Samples(x, check_y(arrays.get("y"), len(x)))


def check_samples(x: object, inputs: Mapping[str, Shape]) -> Array:
    """Samples as float32, the arrays of several inputs (a mapping by name) flattened side by side.

    Raises `DataError` where they are something else, of other shapes or not finite.
    """
    if isinstance(x, Mapping):
        given = cast("Mapping[str, Array]", x)
        found = {name: _checked(name, given[name], shape) for name, shape in inputs.items() if name in given}
        return pack(found, inputs)
    if len(inputs) > 1:
        raise DataError(f"arrays by name expected, one for each input ({', '.join(inputs)}), found one array")
    return _checked("x", x, next(iter(inputs.values())))


def _checked(name: str, x: object, shape: Shape) -> Array:
    if not isinstance(x, np.ndarray):
        raise DataError(f"{name}: a NumPy array expected, found {type(x).__name__}")
    check_kind(name, x.dtype, x.shape, shape)
    with np.errstate(over="ignore"):
        single = x.astype(np.float32)
    if not np.isfinite(single).all():
        raise DataError(f"{name}: finite float32 numbers expected, found NaN, infinity or more than float32 holds")
    return single


def check_kind(name: str, dtype: np.dtype[Any], found: tuple[int, ...], shape: Shape) -> None:
    """Raises `DataError` where an array of this type and shape holds no samples of `shape`."""
    if dtype.kind != "f":
        raise DataError(f"{name}: float32 expected, found {dtype}")
    if len(found) != len(shape) + 1 or found[1:] != shape:
        raise DataError(f"{name}: shape (N, {', '.join(map(str, shape))}) expected, found {found}")
    if not found[0]:
        raise DataError(f"{name}: one sample or more expected, found none")


def _holds(path: Path, names: Collection[str]) -> bool:
    """Whether the file is an .npz of exactly these arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()} == set(names)
    except (OSError, zipfile.BadZipFile):
        return False


def _arrays(path: Path, names: Collection[str], needed: Collection[str] = ()) -> dict[str, Array]:
    with sound(path), opened(path, needed) as archive:
        return {key: archive[key] for key in archive.files if key in names}


@contextmanager
def opened(path: Path, needed: Collection[str] = ()) -> Generator[Any]:
    """The open `.npz` file, which must hold the arrays `needed`; nothing is read yet."""
    if not path.is_file():
        raise DataError("a .npz file expected, found " + ("a folder" if path.is_dir() else "nothing there"))
    with path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError("a .npz file of named arrays expected, found a single array")
        for name in needed:
            if name not in archive.files:
                raise DataError(f"an array {name!r} expected, found {', '.join(archive.files) or 'none'}")
        with archive:
            yield archive


@contextmanager
def sound(path: Path) -> Generator[None]:
    """Says in one line what is wrong with a file that NumPy cannot read."""
    try:
        yield
    except ValueError as error:
        with path.open("rb") as file:
            if file.read(1) not in KNOWN:
                raise DataError("a .npz file expected, found another kind of file") from None
        pickled = "pickle" in str(error) or "Object arrays" in str(error)
        found = "pickled objects, which are never loaded" if pickled else f"a damaged file ({error})"
        raise DataError(f"plain arrays expected, found {found}") from None
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"a .npz file expected, found a damaged or other file ({error})") from None


def check_y(y: Array | None, count: int) -> Array | None:
    """Labels of `count` samples as int64; raises `DataError` where they are something else."""
    if y is None:
        return None
    if y.dtype.kind not in "iu" or y.shape != (count,):
        raise DataError(f"y: integer labels of shape ({count},) expected, found {y.dtype} {y.shape}")
    return y.astype(np.int64)


def check_results(path: Path, names: Collection[str]) -> None:
    """Raises where an .npz of the arrays `names` cannot be written without losing something else."""
    if path.exists() and not _holds(path, names):
        raise UsageError(f"{path}: exists and is no earlier result; it is left alone, choose another name")
    if not path.absolute().parent.is_dir():
        raise DataError(f"{path}: a folder to write to expected, found none")


def write_results(path: Path, **arrays: Array) -> None:
    """Writes an .npz file in one step: it is there whole, or what was there before stays.

    Raises `UsageError` where a file of another kind stands in the way.
    """
    check_results(path, arrays.keys())
    write_arrays(path, arrays)


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes an .npz file in one step, over whatever is there."""
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, **dict(arrays))
