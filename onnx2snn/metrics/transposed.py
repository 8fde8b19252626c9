"""Linear ops run backward on numbers of synapses: how many paths lead from each input entry to where outputs go.

If every output entry j of an op reaches F_j synapses, input entry i reaches sum_j m_ji F_j, with m_ji = 1 where a
weight joins them (connected: where that weight is not zero) and else 0. Padding is no input: borders reach less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from onnx2snn.ir import Array, Op, Shape
from onnx2snn.ir.ops import (
    Add,
    Affine,
    Concat,
    Conv,
    Dense,
    Dilate,
    Gather,
    Pad,
    Reshape,
    SumPool,
    Transpose,
)
from onnx2snn.reference.windows import cuts
from onnx2snn.table import Table

TRANSPOSED: Table[Callable[..., Sequence[Array]]] = Table("the fan-out of synapses")


def transposed(op: Op, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    """Paths (*features) from every entry of each input, given those from every entry of the output; float64, whole."""
    return TRANSPOSED[type(op)](op, fan, shapes, connected)


def _mask(weight: Array, connected: bool) -> Array:
    return (weight != 0).astype(np.float64) if connected else np.ones(weight.shape)


@TRANSPOSED.rule(Conv)
def _conv(op: Conv, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    groups, (out, inside, *_) = op.groups, op.weight.shape
    mask = _mask(op.weight, connected).reshape(groups, out // groups, inside, *op.kernel)
    size = fan.shape[1:]
    columns = fan.reshape(groups, out // groups, -1)

    def term(place: Shape) -> Array:
        paths = mask[(..., *place)].transpose(0, 2, 1) @ columns
        return paths.reshape(groups * inside, *size)

    return [_scattered(shapes[0], op.kernel, op.strides, op.pads, op.dilations, size, term)]


@TRANSPOSED.rule(SumPool)
def _sum_pool(op: SumPool, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    return [_scattered(shapes[0], op.kernel, op.strides, op.pads, op.dilations, fan.shape[1:], lambda _: fan)]


def _scattered(
    shape: Shape,
    kernel: Shape,
    strides: Shape,
    pads: Shape,
    dilations: Shape,
    size: Shape,
    term: Callable[[Shape], Array],
) -> Array:
    """The sum of what each kernel place gives back to the entries that it meets, padding cut off."""
    rank = len(kernel)
    padded = np.zeros((shape[0], *(n + pads[i] + pads[i + rank] for i, n in enumerate(shape[1:]))))
    for place, cut in cuts(size, kernel, strides, dilations):
        padded[(slice(None), *cut)] += term(place)
    return padded[(slice(None), *(slice(pads[i], pads[i] + n) for i, n in enumerate(shape[1:])))]


@TRANSPOSED.rule(Dense)
def _dense(op: Dense, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    return [fan @ _mask(op.weight, connected)]


@TRANSPOSED.rule(Affine)
def _affine(op: Affine, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    return [fan if op.scale is None else fan * _mask(op.scale, connected)]


@TRANSPOSED.rule(Add)
def _add(op: Add, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    return [fan for _ in shapes]


@TRANSPOSED.rule(Concat)
def _concat(op: Concat, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    ends = np.cumsum([shape[op.axis] for shape in shapes])[:-1]
    return np.split(fan, ends, axis=op.axis)


@TRANSPOSED.rule(Reshape)
def _reshape(op: Reshape, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    return [fan.reshape(shapes[0])]


@TRANSPOSED.rule(Transpose)
def _transpose(op: Transpose, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    return [fan.transpose(np.argsort(op.perm))]


@TRANSPOSED.rule(Gather)
def _gather(op: Gather, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    back = np.zeros(shapes[0])
    rows = np.moveaxis(back, op.axis, 0)
    for index, row in zip(op.indices, np.moveaxis(fan, op.axis, 0), strict=True):
        rows[index] += row
    return [back]


@TRANSPOSED.rule(Pad)
def _pad(op: Pad, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    return [fan[tuple(slice(op.pads[i], op.pads[i] + n) for i, n in enumerate(shapes[0]))]]


@TRANSPOSED.rule(Dilate)
def _dilate(op: Dilate, fan: Array, shapes: Sequence[Shape], connected: bool) -> Sequence[Array]:
    return [fan[(slice(None), *(slice(None, None, s) for s in op.strides))]]
