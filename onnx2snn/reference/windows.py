"""Sliding windows in plain NumPy: every window op is a sum, or a maximum, over the places of its kernel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from onnx2snn.ir.op import Array, Shape
from onnx2snn.ir.ops import AveragePool, Conv, MaxPool, Pool, SumPool
from onnx2snn.ir.ops.spatial import window_output


def cuts(size: Shape, kernel: Shape, strides: Shape, dilations: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
    """For each kernel place, the slices of the padded spatial axes that it meets at outputs of `size`."""
    for place in product(*(range(k) for k in kernel)):
        starts = [p * d for p, d in zip(place, dilations, strict=True)]
        yield place, tuple(slice(a, a + s * (n - 1) + 1, s) for a, s, n in zip(starts, strides, size, strict=True))


def places(
    x: Array, kernel: Shape, strides: Shape, pads: Shape, dilations: Shape, fill: float = 0
) -> Iterator[tuple[Shape, Array]]:
    """For each kernel place k, the view of padded `x` (batch, channels, *size) that place k meets at every output."""
    rank = len(kernel)
    size = window_output(x.shape[2:], kernel, strides, pads, dilations)
    padded = np.pad(x, [(0, 0), (0, 0), *((pads[i], pads[i + rank]) for i in range(rank))], constant_values=fill)
    for place, cut in cuts(size, kernel, strides, dilations):
        yield place, padded[:, :, *cut]


def conv(op: Conv, x: Array, weight: Array) -> Array:
    """Convolution of (batch, channels, *size) with `weight`, without scale and bias."""
    batch, groups, out = len(x), op.groups, len(weight)
    grouped_weight = weight.reshape(groups, out // groups, *weight.shape[1:])
    total: Array | None = None
    for place, seen in places(x, op.kernel, op.strides, op.pads, op.dilations):
        grouped = seen.reshape(batch, groups, -1, *seen.shape[2:])
        term = np.einsum("goi,ngi...->ngo...", grouped_weight[(..., *place)], grouped)
        total = term if total is None else total + term
    assert total is not None  # a kernel has at least one place
    return total.reshape(batch, out, *total.shape[3:])


def sum_pool(op: Pool, x: Array) -> Array:
    """Sum over each window, zero padding."""
    return sum((seen for _, seen in places(x, op.kernel, op.strides, op.pads, op.dilations)), np.zeros((), x.dtype))


def max_pool(op: MaxPool, x: Array) -> Array:
    """Maximum over each window; padding never wins."""
    least = np.iinfo(x.dtype).min if x.dtype.kind == "i" else -np.inf
    seen = (view for _, view in places(x, op.kernel, op.strides, op.pads, op.dilations, fill=least))
    return np.maximum.reduce(list(seen))


def average_divisor(op: AveragePool, shape: Shape) -> Array:
    """What each output of an average pool divides its sum by, broadcastable to its output (channels, *size)."""
    if op.count_padding:
        return np.full((1,) * len(shape), np.prod(op.kernel), np.float64)
    ones = np.ones((1, 1, *shape[1:]))
    counts = sum_pool(SumPool(kernel=op.kernel, strides=op.strides, pads=op.pads, dilations=op.dilations), ones)[0]
    return counts if np.ptp(counts) else counts[(slice(0, 1),) * len(shape)]
