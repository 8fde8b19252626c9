"""Between which whole numbers a weighted sum of whole numbers lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnx2snn.ir import Array, Shape
from onnx2snn.ir.ops import Conv, Dense

BLOCK = 1 << 18  #: weights that are worked on at once; they stay in the cache
EXACT = 1 << 24  #: up to here float32 adds whole numbers exactly


def interval(op: Conv | Dense, low: Array, high: Array, shape: Shape) -> tuple[Array, Array]:
    """Least and greatest output of integer weights for inputs in [low, high], per channel.

    Zero lies in the range of every input (a silent neuron, padding), so no place sees more than the whole kernel.
    """
    axis = 0 if isinstance(op, Conv) else len(shape) - 1
    groups = op.groups if isinstance(op, Conv) else 1
    least, most = np.minimum(_of_channels(low, shape, axis, np.min), 0), np.maximum(_of_channels(high, shape, axis), 0)
    weight = op.weight.reshape(*op.weight.shape[:2], -1)
    if not np.ptp(least) and not np.ptp(most):
        least, most, groups, weight = least[:1], most[:1], 1, weight.reshape(len(weight), 1, -1)
    ends = least.reshape(groups, -1), most.reshape(groups, -1)
    step = max(1, BLOCK // weight[0].size)
    parts = [_part(weight, slice(start, start + step), groups, *ends) for start in range(0, len(weight), step)]
    column = (-1,) + (1,) * (len(shape) - 1) if isinstance(op, Conv) else (-1,)
    found_low, found_high = (np.concatenate(found).reshape(column) for found in zip(*parts, strict=True))
    return found_low, found_high


def _of_channels(ends: Array, shape: Shape, axis: int, reduce: Callable[..., Array] = np.max) -> Array:
    """The least or greatest entry of every channel of an array that broadcasts to `shape`."""
    full = ends.reshape((1,) * (len(shape) - ends.ndim) + ends.shape)
    others = tuple(i for i in range(len(shape)) if i != axis)
    return np.broadcast_to(reduce(full, axis=others), shape[axis : axis + 1])


def _part(weight: Array, rows: slice, groups: int, least: Array, most: Array) -> tuple[Array, Array]:
    """The ends of some output channels; weight (out, in, places), least and most (groups, in)."""
    group = np.arange(len(weight))[rows] * groups // len(weight)
    plus, minus = _signed_sums(weight[rows])
    low, high = plus * least[group] + minus * most[group], plus * most[group] + minus * least[group]
    return low.sum(axis=1), high.sum(axis=1)


def _signed_sums(weight: Array) -> tuple[Array, Array]:
    """The sums of all positive and of all negative weights over the last axis, int64."""
    places = weight.shape[2]
    if weight.dtype != np.int8 or 128 * places >= EXACT:
        whole = weight.astype(np.int64)
        plus = np.maximum(whole, 0).sum(axis=2)
        return plus, whole.sum(axis=2) - plus
    real, ones = weight.reshape(-1, places).astype(np.float32), np.ones(places, np.float32)
    total = (real @ ones).astype(np.int64)
    plus = (np.maximum(real, 0, out=real) @ ones).astype(np.int64)
    return plus.reshape(weight.shape[:2]), (total - plus).reshape(weight.shape[:2])
