"""Real weights that lie on a grid are whole weights with a scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.ir import Array, Graph, Node, Op
from onnx2snn.ir.ops import Conv, Dense
from onnx2snn.passes.base import Rewrite

MOST_WHOLE = 1 << 15  #: largest weight of a model whose weights are whole numbers as they stand
MOST_CODE = 255  #: largest code on a grid: 8 bits, and the zero point taken off
FLOAT32 = 2.0**-23  #: relative: a product rounded to float32, and the step likewise
SAMPLE = 64  #: of the largest weights of a channel, looked at first
ENOUGH = 40.0  #: bits of chance that a grid has to explain: random weights fit one by chance once in 2^40 layers


@final
@dataclass(frozen=True)
class FindWeightGrids(Rewrite):
    """Finds the grid of weights that were quantised and folded to real numbers.

    given:   Conv or Dense with real weights
    result:  whole weights and a scale a channel, where all weights are whole numbers up to 2^15, or whole multiples up
             to 255 of one step for the tensor or for each channel, to float32 precision. The scale is the float32 that
             gives back every weight as a float32 product, or else the float64 of least squared error.
    Random weights stay: a grid has to explain so many of them that chance is excluded; what a channel of few weights
    fits is no evidence.
    """

    name: ClassVar[str] = "find-weight-grids"
    kinds: ClassVar[tuple[type[Op], ...]] = (Conv, Dense)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, (Conv, Dense))
        if op.scale is not None or op.weight.dtype.kind == "i" or not op.weight.any():
            return None
        rows = op.weight.reshape(len(op.weight), -1).astype(np.float64)
        found = _whole(rows) or _grid(rows.reshape(1, -1)) or _grid(rows)
        if found is None:
            return None
        codes, scale = found
        small = np.abs(codes).max() <= np.iinfo(np.int8).max
        weight = codes.reshape(op.weight.shape).astype(np.int8 if small else np.int64)
        graph.replace(node.name, replace(op, weight=weight, scale=np.broadcast_to(scale, (len(rows),))))
        return f"weights on a grid: codes {int(codes.min())} to {int(codes.max())}"


def _whole(rows: Array) -> tuple[Array, Array] | None:
    good = np.abs(rows).max() <= MOST_WHOLE and (rows == np.rint(rows)).all()
    return (rows, np.ones(1)) if good else None


def _grid(rows: Array) -> tuple[Array, Array] | None:
    """Codes like `rows` and a scale for each, where every row lies on a grid of its own."""
    largest = np.abs(rows).max(axis=1)
    counts = _counts(rows, largest)
    if counts is None:
        return None
    scale = np.where(largest > 0, largest, 1.0) / counts
    codes = np.rint(rows / scale[:, None])
    if not _fits(rows, codes, scale).all() or _evidence(codes, counts) < ENOUGH:
        return None
    scale = np.array([_best_scale(row, code, step) for row, code, step in zip(rows, codes, scale, strict=True)])
    return codes, scale


def _counts(rows: Array, largest: Array) -> Array | None:
    """The smallest code of the largest weight of each row with which a sample fits a grid; None where one has none."""
    order = np.argsort(-np.abs(rows), axis=1)[:, :SAMPLE] if rows.shape[1] > SAMPLE else slice(None)
    sample = np.take_along_axis(rows, order, 1) if not isinstance(order, slice) else rows
    open_rows, counts = np.arange(len(rows)), np.ones(len(rows))
    for count in range(1, MOST_CODE + 1):
        scale = np.where(largest[open_rows] > 0, largest[open_rows], 1.0) / count
        part = sample[open_rows]
        fits = _fits(part, np.rint(part / scale[:, None]), scale).all(axis=1)
        counts[open_rows[fits]] = count
        open_rows = open_rows[~fits]
        if not len(open_rows):
            return counts
    return None


def _fits(rows: Array, codes: Array, scale: Array) -> Array:
    """Whether weights are their code times the scale, as near as float32 tells."""
    return np.abs(rows - codes * scale[:, None]) <= 2 * FLOAT32 * np.abs(rows)


def _evidence(codes: Array, counts: Array) -> float:
    """Bits of chance that the grid explains: a random weight beside a code c fits it with a chance of 4 c 2^-23.

    The largest weight of a row fits any grid, and which code it has was chosen from 255.
    """
    sizes = np.abs(codes)
    bits = np.where(sizes > 0, -np.log2(4 * FLOAT32 * np.maximum(sizes, 1)), 0.0).sum(axis=1)
    own = -np.log2(4 * FLOAT32 * np.maximum(counts, 1)) + np.log2(MOST_CODE)
    return float(np.where(bits > 0, bits - own, 0.0).sum())


def _best_scale(row: Array, codes: Array, step: float) -> float:
    """The float32 that gives back every weight, if one near does; else the float64 of least squared error."""
    if not codes.any():
        return step
    mean = float((row * codes).sum() / (codes * codes).sum())
    near = np.float32(mean)
    for candidate in (near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(np.inf))):
        if (codes.astype(np.float32) * candidate == row.astype(np.float32)).all():
            return float(candidate)
    return mean
