"""Linear ops on many samples at once, through BLAS; exact where whole numbers fit the floating-point type."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from onnx2snn.ir import Array, Op, Shape
from onnx2snn.ir.ops import MOVES, Add, Affine, Concat, Conv, Dense, MaxPool, Pool, SumPool
from onnx2snn.reference import apply
from onnx2snn.table import Table

KERNELS: Table[Callable[..., Array]] = Table("the NumPy simulator")


def linear(op: Op, kind: np.dtype[np.generic], *inputs: Array) -> Array:
    """The value of a linear or pooling op on inputs (batch, *features), computed in `kind`."""
    return KERNELS[type(op)](op, *(x.astype(kind, copy=False) for x in inputs))


def windows(x: Array, kernel: Shape, strides: Shape, pads: Shape, dilations: Shape, fill: float = 0) -> Array:
    """A view (batch, channels, *output size, *kernel) of the padded input."""
    rank = len(kernel)
    if any(pads):
        x = np.pad(x, [(0, 0), (0, 0), *((pads[i], pads[i + rank]) for i in range(rank))], constant_values=fill)
    extent = tuple(d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True))
    axes = tuple(range(2, 2 + rank))
    seen = sliding_window_view(x, extent, axes)
    cut = tuple(slice(None, None, s) for s in strides)
    inside = tuple(slice(None, None, d) for d in dilations)
    return seen[(slice(None), slice(None), *cut, *inside)]


def _times(x: Array, factor: Array | None, channel_axis: int) -> Array:
    if factor is None:
        return x
    shape = [1] * x.ndim
    shape[channel_axis] = -1
    return x * factor.astype(x.dtype).reshape(shape)


@KERNELS.rule(Conv)
def _conv(op: Conv, x: Array) -> Array:
    """One matrix product for each sample and group: weights times windows as columns."""
    rank, batch = len(op.kernel), len(x)
    seen = windows(x, op.kernel, op.strides, op.pads, op.dilations)
    size = seen.shape[2 : 2 + rank]
    columns = np.moveaxis(seen, range(2, 2 + rank), range(-rank, 0)).reshape(batch, op.groups, -1, prod(size))
    weight = op.weight.reshape(op.groups, len(op.weight) // op.groups, -1).astype(x.dtype)
    result = _times((weight @ columns).reshape(batch, len(op.weight), *size), op.scale, 1)
    return result if op.bias is None else result + op.bias.astype(x.dtype).reshape(-1, *(1,) * rank)


@KERNELS.rule(Dense)
def _dense(op: Dense, x: Array) -> Array:
    y = _times(x @ op.weight.T.astype(x.dtype), op.scale, -1)
    return y if op.bias is None else y + op.bias.astype(x.dtype)


@KERNELS.rule(Affine)
def _affine(op: Affine, x: Array) -> Array:
    y = x if op.scale is None else x * op.scale.astype(x.dtype)
    return y if op.shift is None else y + op.shift.astype(x.dtype)


@KERNELS.rule(Add)
def _add(_: Add, *xs: Array) -> Array:
    return sum(xs[1:], xs[0])


@KERNELS.rule(Concat)
def _concat(op: Concat, *xs: Array) -> Array:
    return np.concatenate(xs, axis=op.axis + 1)


@KERNELS.rule(*MOVES)
def _move(op: Op, x: Array) -> Array:
    return apply(op, x)


@KERNELS.rule(SumPool)
def _sum_pool(op: SumPool, x: Array) -> Array:
    return _reduce(op, x, np.add, 0)


@KERNELS.rule(MaxPool)
def _max_pool(op: MaxPool, x: Array) -> Array:
    return _reduce(op, x, np.maximum, -np.inf)


def _reduce(op: Pool, x: Array, combine: np.ufunc, fill: float) -> Array:
    seen = windows(x, op.kernel, op.strides, op.pads, op.dilations, fill)
    result = seen[(..., *(0,) * len(op.kernel))].copy()
    for place in list(np.ndindex(*op.kernel))[1:]:
        combine(result, seen[(..., *place)], out=result)
    return result
