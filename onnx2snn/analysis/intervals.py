"""Between which whole numbers a weighted sum of whole numbers lies."""

from __future__ import annotations

from collections.abc import Callable
from weakref import finalize

import numpy as np

from onnx2snn.ir import Array, Shape
from onnx2snn.ir.ops import Conv, Dense

BLOCK = 1 << 18  #: weights that are worked on at once; they stay in the cache
NARROW = 1 << 23  #: of so few bytes int32 holds the sum
_KNOWN: dict[int, tuple[Array, Array]] = {}  # by the identity of arrays that live


def interval(op: Conv | Dense, low: Array, high: Array, shape: Shape) -> tuple[Array, Array]:
    """Least and greatest output of integer weights for inputs in [low, high], per channel.

    Zero lies in the range of every input (a silent neuron, padding), so no place sees more than the whole kernel.
    """
    axis = 0 if isinstance(op, Conv) else len(shape) - 1
    groups = op.groups if isinstance(op, Conv) else 1
    least, most = np.minimum(_of_channels(low, shape, axis, np.min), 0), np.maximum(_of_channels(high, shape, axis), 0)
    column = (-1,) + (1,) * (len(shape) - 1) if isinstance(op, Conv) else (-1,)
    if not np.ptp(least) and not np.ptp(most):
        plus, minus = _totals(op.weight)
        found = plus * least[0] + minus * most[0], plus * most[0] + minus * least[0]
    else:
        found = _by_channel(op.weight, least.reshape(groups, -1), most.reshape(groups, -1))
    return found[0].reshape(column), found[1].reshape(column)


def _totals(weight: Array) -> tuple[Array, Array]:
    """The sums of all positive and of all negative weights of every output channel, worked out once for each array."""
    key = id(weight)
    if key not in _KNOWN:
        blocks = _blocks(weight.reshape(len(weight), 1, -1))
        plus, minus = (np.concatenate(sums)[:, 0] for sums in zip(*map(_signed_sums, blocks), strict=True))
        _KNOWN[key] = plus, minus
        finalize(weight, _KNOWN.pop, key).atexit = False
    return _KNOWN[key]


def _blocks(weight: Array) -> list[Array]:
    """Some output channels each."""
    step = max(1, BLOCK // weight[0].size)
    return [weight[start : start + step] for start in range(0, len(weight), step)]


def _by_channel(weight: Array, least: Array, most: Array) -> tuple[Array, Array]:
    """The ends where input channels differ in range; least and most (groups, in)."""
    weight = weight.reshape(*weight.shape[:2], -1)
    group = np.arange(len(weight)) * len(least) // len(weight)
    low, high, start = np.empty(len(weight), np.int64), np.empty(len(weight), np.int64), 0
    for block in _blocks(weight):
        rows = slice(start, start + len(block))
        plus, minus = _signed_sums(block)
        from_least, from_most = least[group[rows]], most[group[rows]]
        low[rows] = (plus * from_least + minus * from_most).sum(axis=1)
        high[rows] = (plus * from_most + minus * from_least).sum(axis=1)
        start += len(block)
    return low, high


def _of_channels(ends: Array, shape: Shape, axis: int, reduce: Callable[..., Array] = np.max) -> Array:
    """The least or greatest entry of every channel of an array that broadcasts to `shape`."""
    full = ends.reshape((1,) * (len(shape) - ends.ndim) + ends.shape)
    others = tuple(i for i in range(len(shape)) if i != axis)
    return np.broadcast_to(reduce(full, axis=others), shape[axis : axis + 1])


def _signed_sums(weight: Array) -> tuple[Array, Array]:
    """The sums of all positive and of all negative weights over the last axis, int64."""
    narrow = weight.dtype == np.int8 and weight.shape[2] < NARROW
    weight, kind = (weight, np.int32) if narrow else (weight.astype(np.int64, copy=False), np.int64)
    size = np.abs(weight)
    if narrow:
        size = size.view(np.uint8)  # where the size of -128 is 128
    total, sizes = (part.sum(axis=2, dtype=kind).astype(np.int64) for part in (weight, size))
    plus = (total + sizes) // 2
    return plus, total - plus
