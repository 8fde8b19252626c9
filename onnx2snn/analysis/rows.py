"""Equal rows of several columns: what holds for one of them holds for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array


@dataclass(frozen=True)
class Distinct:
    """first: index of one row of each kind.  inverse: which kind each row is.  counts: rows of each kind."""

    first: Array
    inverse: Array
    counts: Array


def distinct(*columns: Array) -> Distinct:
    """The kinds of rows that columns of numbers, (rows,) each, make; compared bit by bit."""
    table = np.stack([np.ascontiguousarray(column, _wide(column)).view(np.int64) for column in columns], axis=1)
    _, first, inverse, counts = np.unique(table, axis=0, return_index=True, return_inverse=True, return_counts=True)
    return Distinct(first, inverse.reshape(-1), counts)


def _wide(column: Array) -> type:
    return np.float64 if column.dtype.kind == "f" else np.int64
