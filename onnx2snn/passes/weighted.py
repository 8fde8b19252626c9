"""Scaling what a weighted op puts out: shared by the passes that fold into weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import Conv, Dense


def per_channel(array: Array | None, op: Conv | Dense, rank: int) -> Array | None:
    """`array`, broadcast against the output of `op`, as one number a channel; None where it varies within one.

    rank: number of axes of the output.
    """
    channels = len(op.weight)
    if array is None:
        return None
    axis = 0 if isinstance(op, Conv) else rank - 1
    full = array.reshape((1,) * (rank - array.ndim) + array.shape)
    if any(size != 1 for i, size in enumerate(full.shape) if i != axis):
        return None
    return np.broadcast_to(full.reshape(-1), (channels,)).astype(np.float64)


def one_a_channel(array: Array, rank: int) -> bool:
    """Whether `array`, broadcast to `rank` axes, is constant within each channel (along all axes but the first)."""
    full = (1,) * (rank - array.ndim) + array.shape
    return all(size == 1 for size in full[1:])


def scale_output(op: Conv | Dense, factor: Array, shift: Array) -> Conv | Dense:
    """The op whose output is factor * op + shift, both (channels,).

    Integer weights stay integer: the factor goes into the scale, its sign into the weights, and a factor of zero
    leaves weights of zero. Real weights take the factor themselves.
    """
    bias = shift if op.bias is None else factor * op.bias + shift
    column = (-1,) + (1,) * (op.weight.ndim - 1)
    if op.scale is None:
        return replace(op, weight=op.weight * factor.reshape(column), bias=bias)
    sign = np.sign(factor).astype(op.weight.dtype).reshape(column)
    scale = op.scale * np.where(factor == 0, 1.0, np.abs(factor))
    return replace(op, weight=op.weight * sign, scale=scale, bias=bias)


def narrowed(weight: Array) -> Array:
    """Whole weights in 8 bits where they fit."""
    small = weight.dtype.kind == "i" and np.abs(weight).max(initial=0) <= 127
    return weight.astype(np.int8) if small else weight


def sole_reader(graph: Graph, name: str, reader: Node) -> bool:
    """Whether `reader` alone reads `name`, once, and no output does."""
    return [c.name for c in graph.consumers(name)] == [reader.name] and name not in graph.outputs
