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
MOST_LEVELS = 512  #: different sizes of weights on a grid: one a code, or two where rounding differs with the sign
NEAR = 2.0**-21  #: of the largest weight: some roundings to float32, as 2 q - 1 and a folded factor make
SAMPLE = 4096  #: weights whose levels are counted first
ENOUGH = 40.0  #: bits of chance that a grid has to explain: random weights fit one by chance once in 2^40 layers
CHOICE = 20.0  #: and that a grid for the tensor has to explain beyond coarser ones for the channels


@final
@dataclass(frozen=True)
class FindWeightGrids(Rewrite):
    """Finds the grid of weights that were quantised and folded to real numbers.

    given:   Conv or Dense with real weights
    result:  whole weights and a scale a channel, where all weights are whole numbers up to 2^15, or whole multiples up
             to 255 of one step for the tensor or for each channel. Ternary, fixed-point, LSQ, DoReFa and
             powers-of-two weights (sums of them too) are, after constant folding. Where both would do, the step is
             the tensor's, unless those of the channels are coarser and share it by chance.
    Each weight is its code times the scale to 2^-20 of the largest weight beside it. The scale is the float32 that
    gives back every weight as a float32 product, where one does; else the float64 of least squared error.
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
        found = _whole(rows) or _grids(rows)
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


def _grids(rows: Array) -> tuple[Array, Array] | None:
    """A grid for the tensor, or one for each channel where those are coarser and may share the tensor's by chance.

    Of two channels' random steps, both are whole multiples up to 255 of a third step, to 2^-20, once in fifty times.
    """
    tensor = _grid(rows.reshape(1, -1))
    if tensor is None:
        return _grid(rows)
    factors = np.gcd.reduce(tensor[0].reshape(rows.shape).astype(np.int64), axis=1)
    finer = int(factors.max())
    shared = finer == 1 or _evidence(int(np.count_nonzero(factors)), finer) >= CHOICE
    return tensor if shared else _grid(rows) or tensor


def _grid(rows: Array) -> tuple[Array, Array] | None:
    """Codes like `rows` and a scale for each, where every row lies on a grid of its own."""
    steps: list[float] = []
    evidence = 0.0
    for row in rows:
        count = _count(row)
        if count is None:
            return None
        steps.append((float(np.abs(row).max()) or 1.0) / count)
        evidence += _evidence(int(np.count_nonzero(row)), count)
    if evidence < ENOUGH:
        return None
    codes = np.rint(rows / np.array(steps)[:, None])
    return codes, np.array([_best_scale(row, code, step) for row, code, step in zip(rows, codes, steps, strict=True)])


def _count(row: Array) -> int | None:
    """How many steps the largest weight is, on the coarsest grid that all of them lie on; None where they lie on none.

    row: (weights,) float64.
    """
    if len(np.unique(np.abs(row[:SAMPLE]))) > MOST_LEVELS:
        return None
    levels = np.unique(np.abs(row))
    if len(levels) > MOST_LEVELS:
        return None
    counts = np.arange(1, MOST_CODE + 1)
    units = np.multiply.outer(counts, levels / (levels[-1] or 1.0))
    fits = (np.abs(units - np.rint(units)) <= NEAR * counts[:, None]).all(axis=1)
    return int(counts[np.argmax(fits)]) if fits.any() else None


def _evidence(weights: int, count: int) -> float:
    """Bits of chance that a grid explains of so many weights that are not zero.

    A random weight lies on one of `count` steps with a chance of 2 NEAR count; the largest one fits any grid, and
    which code it has was chosen from 255.
    """
    each = -np.log2(2 * NEAR * count)
    return float(weights * each - (each + np.log2(MOST_CODE))) if weights else 0.0


def _best_scale(row: Array, codes: Array, step: float) -> float:
    """The float32 that gives back every weight, if one near does; else the float64 of least squared error.

    `step`, which comes from the largest weight alone, stays where that would move a weight too far.
    """
    if not codes.any():
        return step
    mean = float((row * codes).sum() / (codes * codes).sum())
    near = np.float32(mean)
    for candidate in (near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(np.inf))):
        if (codes.astype(np.float32) * candidate == row.astype(np.float32)).all():
            return float(candidate)
    far = np.abs(row - codes * mean).max() > 2 * NEAR * np.abs(row).max()
    return step if far else mean
