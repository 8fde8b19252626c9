"""Weights on a grid of few bits, and what rounding them to it does to the sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnx2snn.analysis.bounds import bounds
from onnx2snn.analysis.calibration import CANDIDATES
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import MOVES, Affine, AveragePool, Clip, Conv, Dense, MaxPool, Quantise, Relu

Scales = Literal["channel", "layer"]
Search = Literal["max", "mse"]
SCALES: tuple[Scales, ...] = ("channel", "layer")
SEARCHES: tuple[Search, ...] = ("max", "mse")


@dataclass(frozen=True)
class Grid:
    """Rows of weights as whole numbers.  codes: (out, in) float64, whole.  scale: (out,) float64, above zero."""

    codes: Array
    scale: Array

    @property
    def values(self) -> Array:
        """The weights that they stand for, (out, in)."""
        return self.codes * self.scale[:, None]


def on_grid(rows: Array, bits: int, scales: Scales, search: Search, whole: bool = False) -> Grid:
    """Weights (out, in) on a symmetric grid: clip(rint(w / s), -q, q) s with q = 2^(bits-1) - 1.

    scales: one s for each row or one for all (per-axis and per-tensor symmetric quantisation: Krishnamoorthi,
    "Quantizing deep convolutional networks for efficient inference", arXiv:1806.08342, sections 2.2 and 3.1).
    search: `max`: s = max|w| / q, so that no weight moves by more than s / 2; `mse`: of the shares 1, 0.99 ... 0.06 of
    it the one with the least squared error, the candidates of `onnx2snn.analysis.calibration`.
    A row of zeros has the scale 1 / q.
    whole: each s is one of the two whole numbers around that, at least 1, with the lesser squared error.
    """
    most = (1 << bits - 1) - 1
    groups = rows if scales == "channel" else rows.reshape(1, -1)
    largest = np.abs(groups).max(axis=1, initial=0.0)
    widest = np.where(largest > 0, largest, 1.0) / most
    shares = CANDIDATES if search == "mse" else CANDIDATES[:1]
    best, least = widest, np.full(len(groups), np.inf)
    steps = [widest * share for share in shares]
    if whole:
        steps = [np.maximum(1.0, rounded(step)) for step in steps for rounded in (np.floor, np.ceil)]
    for step in steps:
        error = _square(groups - _codes(groups, step, most) * step[:, None])
        best, least = np.where(error < least, step, best), np.minimum(error, least)
    scale = np.broadcast_to(best, (len(rows),)).copy()
    return Grid(_codes(rows, scale, most), scale)


def _codes(rows: Array, scale: Array, most: int) -> Array:
    return np.clip(np.rint(rows / scale[:, None]), -most, most)


def _square(rows: Array) -> Array:
    return np.einsum("ij,ij->i", rows, rows)


@dataclass(frozen=True)
class Shift:
    """What rounding the weights of a layer does.

    error: squared error of the weights over their square.
    sums: how far the sum of any output can move, in the units of the model; None where its input may be anything.
    counts: by how many steps a count of the quantiser behind can be off at most, its input exact; at most all that it
    has; None where unknown.
    quantiser: its name.
    """

    error: float
    sums: float | None
    counts: int | None = None
    quantiser: str = ""

    def __str__(self) -> str:
        if self.sums is None:
            reach = "what that does to its sums has no bound, for its input has none"
        elif self.counts is None:
            reach = f"its sums move by up to {self.sums:.3g}"
        else:
            reach = f"its sums move by up to {self.sums:.3g}, counts of {self.quantiser} by up to {self.counts}"
        return f"relative squared error {self.error:.3g}; {reach}"


def shift(graph: Graph, node: Node, rows: Array, rounded: Array) -> Shift:
    """The difference between weights (out, in / groups * kernel) of a Conv or Dense, and the same ones rounded.

    With inputs in [low, high] the sum over d = rounded - rows lies between sum(min(d low, d high)) and
    sum(max(d low, d high)): at most sum |d| times the largest input.
    """
    moved = rounded - rows
    whole = float(np.square(rows).sum())
    error = float(np.square(moved).sum()) / whole if whole else 0.0
    known = bounds(graph, graph[node.inputs[0]])
    if known is None:
        return Shift(error, None)
    low, high = (min(known[0], 0.0), max(known[1], 0.0)) if isinstance(node.op, Conv) else known  # padding is zero
    up, down = np.maximum(moved, 0).sum(axis=1), np.minimum(moved, 0).sum(axis=1)
    sums = float(np.maximum(up * high + down * low, -(up * low + down * high)).max(initial=0.0))
    behind = _quantiser(graph, node)
    if behind is None:
        return Shift(error, sums)
    assert isinstance(behind.op, Quantise)
    most = behind.op.qmax - behind.op.qmin
    return Shift(error, sums, min(most, int(np.ceil(sums / float(behind.op.scale.min())))), behind.name)


def _quantiser(graph: Graph, node: Node) -> Node | None:
    """The quantiser that alone reads a layer, past what never moves two values further apart."""
    while True:
        readers = graph.consumers(node.name)
        if len(readers) != 1:
            return None
        node = readers[0]
        if isinstance(node.op, Quantise):
            return node
        shifted = isinstance(node.op, Affine) and node.op.scale is None
        if not shifted and not isinstance(node.op, (Relu, Clip, MaxPool, AveragePool, *MOVES)):
            return None


def real_rows(op: Conv | Dense) -> Array:
    """The weights of an op as float64 rows (out, in / groups * kernel), its scale multiplied in."""
    rows = op.weight.reshape(len(op.weight), -1).astype(np.float64)
    return rows if op.scale is None else rows * op.scale[:, None]
