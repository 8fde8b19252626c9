"""Which values of a network are whole numbers for certain."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from onnx2snn.ir import Array, Graph, Op
from onnx2snn.ir.ops import (
    MOVES,
    Add,
    Affine,
    Clip,
    Concat,
    Conv,
    Dense,
    Input,
    Maximum,
    MaxPool,
    Minimum,
    Multiply,
    Quantise,
    Relu,
    Staircase,
    Steps,
    SumPool,
    Unary,
)

ROUNDING = ("floor", "ceil", "round", "truncate")
MADE_WHOLE = (*ROUNDING, "sign", "positive", "nonnegative")
KEEPING: tuple[type[Op], ...] = (Add, Concat, Maximum, Minimum, Multiply, Relu, MaxPool, SumPool, *MOVES)


class Whole(IntEnum):
    """What is known of a value: it may be anything; it is whole if the network's input is; it is whole."""

    NO = 0
    IF_INPUT = 1
    YES = 2


def whole_values(graph: Graph) -> dict[str, Whole]:
    """What is known of the value of every node."""
    found: dict[str, Whole] = {}
    for node in graph:
        arriving = min((found[source] for source in node.inputs), default=Whole.IF_INPUT)
        found[node.name] = _whole(node.op, arriving)
    return found


def _whole(op: Op, arriving: Whole) -> Whole:
    if isinstance(op, Input):
        return Whole.IF_INPUT
    if isinstance(op, Unary):
        return Whole.YES if op.function in MADE_WHOLE else arriving if op.function == "abs" else Whole.NO
    if isinstance(op, (Quantise, Staircase)):
        return Whole.YES if _all_whole(op.scale) else Whole.NO
    if isinstance(op, Steps):
        return Whole.YES if _all_whole(op.heights, np.asarray(op.base)) else Whole.NO
    if isinstance(op, (Conv, Dense)):
        return arriving if _all_whole(op.weight, op.scale, op.bias) else Whole.NO
    if isinstance(op, Affine):
        return arriving if _all_whole(op.scale, op.shift) else Whole.NO
    if isinstance(op, Clip):
        bounds = np.array([bound for bound in (op.low, op.high) if np.isfinite(bound)])
        return arriving if _all_whole(bounds) else Whole.NO
    return arriving if isinstance(op, KEEPING) else Whole.NO


def _all_whole(*arrays: Array | None) -> bool:
    return all(a is None or a.dtype.kind == "i" or bool((a == np.rint(a)).all()) for a in arrays)
