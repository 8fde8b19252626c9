"""Equal rows of several columns: what holds for one of them holds for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array

MIXING = np.uint64(0x9E3779B97F4A7C15)  #: odd, near 2^64 over the golden ratio (Knuth, TAOCP 3, 6.4)
HALF = np.uint64(32)


@dataclass(frozen=True)
class Distinct:
    """first: index of one row of each kind.  inverse: which kind each row is.  counts: rows of each kind."""

    first: Array
    inverse: Array
    counts: Array


def distinct(*columns: Array) -> Distinct:
    """The kinds of rows that columns of numbers, (rows,) each, make; compared bit by bit."""
    table = [np.ascontiguousarray(column, _wide(column)).view(np.uint64) for column in columns]
    mixed = np.zeros(len(table[0]), np.uint64)
    for column in table:
        mixed = (mixed ^ column) * MIXING
        mixed ^= mixed >> HALF
    _, first, inverse, counts = np.unique(mixed, return_index=True, return_inverse=True, return_counts=True)
    if not all((column == column[first][inverse]).all() for column in table):  # two kinds with one mixture
        rows = np.stack(table, axis=1)
        _, first, inverse, counts = np.unique(rows, axis=0, return_index=True, return_inverse=True, return_counts=True)
    return Distinct(first, inverse.reshape(-1), counts)


def _wide(column: Array) -> type:
    return np.float64 if column.dtype.kind == "f" else np.int64
