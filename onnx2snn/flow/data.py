"""Samples from and results to `.npz` files."""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError, located
from onnx2snn.ir import Array, Shape


@dataclass(frozen=True)
class Samples:
    """x: float32 (N, *input shape), in the model's own layout.  y: int64 labels (N,), where there are any."""

    x: Array
    y: Array | None = None


def read_samples(path: Path, shape: Shape) -> Samples:
    """Reads `x` and, if present, `y`; nothing pickled is ever loaded.

    Raises `DataError` saying what was expected and found: file, keys, types, shapes, numbers.
    """
    with located(str(path)):
        arrays = _arrays(path)
        if "x" not in arrays:
            raise DataError(f"an array 'x' expected, found {', '.join(sorted(arrays)) or 'none'}")
        x = arrays["x"]
        if x.dtype.kind != "f":
            raise DataError(f"x: float32 expected, found {x.dtype}")
        if x.ndim != len(shape) + 1 or x.shape[1:] != shape:
            raise DataError(f"x: shape (N, {', '.join(map(str, shape))}) expected, found {x.shape}")
        if not len(x):
            raise DataError("x: one sample or more expected, found none")
        if not np.isfinite(x).all():
            raise DataError("x: finite numbers expected, found NaN or infinity")
        return Samples(x.astype(np.float32), _labels(arrays.get("y"), len(x)))


def _arrays(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise DataError("a .npz file expected, found " + ("a folder" if path.is_dir() else "nothing there"))
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError("a .npz file of named arrays expected, found a single array")
            return {key: archive[key] for key in archive.files if key in ("x", "y")}
    except ValueError as error:
        pickled = "pickle" in str(error) or "Object arrays" in str(error)
        found = "pickled objects, which are never loaded" if pickled else f"a damaged file ({error})"
        raise DataError(f"plain arrays expected, found {found}") from None
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"a .npz file expected, found a damaged or other file ({error})") from None


def _labels(y: Array | None, count: int) -> Array | None:
    if y is None:
        return None
    if y.dtype.kind not in "iu" or y.shape != (count,):
        raise DataError(f"y: integer labels of shape ({count},) expected, found {y.dtype} {y.shape}")
    return y.astype(np.int64)


def write_results(path: Path, **arrays: Array) -> None:
    """Writes an .npz file in one step: it is there whole, or what was there before stays."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.partial-", dir=path.absolute().parent)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)
