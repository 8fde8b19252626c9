"""Fields of NIR nodes as numbers: every wrong one is named."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.nir.file import Value
from onnx2snn.ir import Array, Shape
from onnx2snn.ir.op import fits

MOST_FEATURES = 1 << 28


def array(fields: Mapping[str, Value], name: str) -> Array:
    """A field of finite real numbers, float64."""
    value = fields.get(name)
    if value is None:
        raise ModelError(f"field {name!r} expected, found {', '.join(fields) or 'none'}")
    if isinstance(value, str) or value.dtype.kind not in "biuf":
        raise ModelError(f"{name}: numbers expected, found {value if isinstance(value, str) else value.dtype}")
    numbers = value.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ModelError(f"{name}: finite numbers expected, found NaN or infinity")
    return numbers


def parameter(fields: Mapping[str, Value], name: str, shape: Shape, default: float | None = None) -> Array:
    """A field that broadcasts to the features of a layer, axes of size one in front left out."""
    if default is not None and name not in fields:
        return np.full((), default)
    found = array(fields, name)
    while found.ndim > len(shape) and found.shape[0] == 1:
        found = found[0]
    found = found.reshape(()) if found.size == 1 else found
    if not fits(found, shape):
        raise ModelError(f"{name}: numbers for features {shape} expected, found {found.shape}")
    return found


def wholes(fields: Mapping[str, Value], name: str, count: int, default: int | None = None, least: int = 0) -> Shape:
    """A field of `count` whole numbers, or of one that stands for all of them."""
    if default is not None and name not in fields:
        return (default,) * count
    found = array(fields, name)
    if found.size not in (1, count) or (found != np.rint(found)).any() or (found < least).any():
        raise ModelError(f"{name}: {count} whole numbers from {least} on expected, found {found.tolist()}")
    return tuple(int(n) for n in np.broadcast_to(found.reshape(-1), (count,)))


def word(fields: Mapping[str, Value], name: str) -> str:
    """A field that is a word, "" where there is none."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def features(fields: Mapping[str, Value]) -> Shape:
    """The field `shape` of an input: sizes of one sample."""
    found = array(fields, "shape").reshape(-1)
    if not found.size or (found < 1).any() or (found != np.rint(found)).any() or prod(found) > MOST_FEATURES:
        raise ModelError(f"shape: sizes from 1 on expected, found {found.tolist()}")
    return tuple(int(n) for n in found)


def small(values: Array, shape: Shape) -> Array:
    """One number where all are equal, one a channel where those of a channel are, else all of them."""
    if values.size == 1 or not np.ptp(values):
        return values.reshape(-1)[0].reshape(())
    full = np.broadcast_to(values, shape)
    rows = full.reshape(len(full), -1)
    if len(shape) > 1 and not np.ptp(rows, axis=1).any():
        return rows[:, 0].reshape(-1, *(1,) * (len(shape) - 1))
    return full
