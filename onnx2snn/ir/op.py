"""The base of every op: a frozen dataclass of numbers and read-only arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar, cast

import numpy as np

from onnx2snn.errors import ConstraintError

Shape = tuple[int, ...]
Array = np.ndarray[Any, np.dtype[Any]]


def require(holds: object, constraint: str, message: str) -> None:
    """Raises `ConstraintError` naming the numbered constraint unless it holds."""
    if not holds:
        raise ConstraintError(f"({constraint}) {message}")


def frozen(array: object) -> Array:
    """A read-only copy of `array` in one of the four number types of the IR, or the array itself if none can write it.

    Booleans and integers become int64 (int8 stays), floating point becomes float64 (float32 stays), so that the
    text form and the artifact never meet another type.
    """
    values: Array = np.asarray(array)
    if values.dtype.kind in "bui" and values.dtype != np.int8:
        values = values.astype(np.int64)
    elif values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        values = values.astype(np.float64)
    if _unwritable(values) and values.flags.c_contiguous:
        return values
    copy = np.array(values, order="C")
    copy.flags.writeable = False
    return copy


def _unwritable(array: Array) -> bool:
    """Whether the array and all that it is a view of are read-only, down to memory of its own or of `bytes`."""
    base: object = array
    while isinstance(base, np.ndarray):
        if cast(Array, base).flags.writeable:
            return False
        base = cast(object, base.base)
    return base is None or isinstance(base, bytes)


@dataclass(frozen=True, eq=False, kw_only=True)
class Op:
    """One operation on features without their batch axis.

    A subclass declares its fields, states its equation and numbered constraints in the docstring, and answers
    `infer(*shapes)`; the constraints on its fields alone are checked by `check()`.
    """

    name: ClassVar[str]
    arity: ClassVar[int | None] = 1  #: number of inputs; None: any number from one on

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__dict__.get("code") or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    def __post_init__(self) -> None:
        for name, value in tuple(vars(self).items()):
            if isinstance(value, (np.ndarray, np.generic)):
                object.__setattr__(self, name, frozen(cast(object, value)))
        self.check()

    def check(self) -> None:
        """Raises `ConstraintError` where the fields break a constraint of their own; most ops have none."""

    def infer(self, *shapes: Shape) -> Shape:
        """Shape of the output for inputs of these shapes; raises `ConstraintError` where they do not fit."""
        raise NotImplementedError  # every op overrides it; tests enumerate the ops

    def parameters(self) -> Mapping[str, Any]:
        """Fields by name, in order of declaration."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def op_fields(kind: type[Op]) -> dict[str, Field[Any]]:
    """The declared fields of an op type by name."""
    return {field.name: field for field in fields(kind)}


def same(left: Op, right: Op) -> bool:
    """Whether two ops are of one type with equal fields (arrays compared by type, shape and content)."""
    if type(left) is not type(right):
        return False
    pairs = zip(left.parameters().values(), right.parameters().values(), strict=True)
    return all(_equal(a, b) for a, b in pairs)


def _equal(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        one, two = cast(Array, a), cast(Array, b)
        return one is two or (one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes())
    return type(cast(object, a)) is type(b) and a == b


def fits(array: Array, shape: Shape) -> bool:
    """Whether `array` broadcasts to `shape` without enlarging it."""
    axes = zip(reversed(array.shape), reversed(shape), strict=False)
    return array.ndim <= len(shape) and all(size in (1, full) for size, full in axes)


def finite(array: Array | None) -> bool:
    """Whether every entry is a number."""
    return array is None or array.dtype.kind == "i" or bool(np.isfinite(array).all())
