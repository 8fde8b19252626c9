"""MultiThreshold of FINN and QONNX: how many thresholds has each value reached?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.domains import QONNX
from onnx2snn.frontends.onnx.operands import attribute, constant, feature
from onnx2snn.frontends.onnx.qonnx_numbers import channel_axis
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.symbols import Feature, Symbol
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Affine, Quantise, Steps

if TYPE_CHECKING:
    import onnx_ir

NEAR = 2.0**-22  #: of the largest threshold: nearer float32 does not tell


@rule("MultiThreshold", domain=QONNX)
def _multi_threshold(reader: Reader, node: onnx_ir.Node, x: Symbol, thresholds: Symbol) -> Symbol:
    """y = out_scale (number of thresholds <= x) + out_bias, thresholds (channels or 1, K)."""
    source = feature(x)
    shape = reader.shape(source)
    rows = np.sort(constant(thresholds, "thresholds").astype(np.float64), axis=-1)
    axis = channel_axis(str(attribute(node, "data_layout", "NCHW")), len(shape) + 1) - 1
    if rows.ndim != 2 or rows.shape[0] not in (1, shape[axis]) or rows.shape[1] == 0 or not np.isfinite(rows).all():
        raise ModelError(f"finite thresholds ({shape[axis]} or 1, K) expected, found shape {rows.shape}")
    scale, bias = float(attribute(node, "out_scale", 1.0)), float(attribute(node, "out_bias", 0.0))
    if rows.shape[1] > 1 and scale > 0:
        line = _line(rows)
        if line is not None:
            return _staircase(reader, source, line, scale, bias, rows.shape[1], len(shape) - axis - 1)
    breakpoints = _along(rows.T, len(shape) - axis - 1)
    return reader.add(Steps(breakpoints=breakpoints, heights=np.full(rows.shape[1], scale), base=bias), source)


def _line(rows: Array) -> tuple[Array, Array, bool] | None:
    """First threshold and distance of each row, and whether all are just so; None where they are at no one distance.

    Where a row is a straight line only as near as float32 tells, its first threshold is a little lower than in the
    file: a value that is equal to a threshold has reached it.
    """
    distance = (rows[:, -1] - rows[:, 0]) / (rows.shape[1] - 1)
    off = rows - (rows[:, :1] + distance[:, None] * np.arange(rows.shape[1]))
    near = NEAR * np.abs(rows).max(axis=1)
    if (distance <= 4 * near).any() or (np.ptp(off, axis=1) > near).any():
        return None
    if not off.any() and (np.frexp(distance)[0] == 0.5).all():
        return rows[:, 0], distance, True
    return rows[:, 0] + off.min(axis=1) - near / 4, distance, False


def _staircase(
    reader: Reader,
    source: Feature,
    line: tuple[Array, Array, bool],
    scale: float,
    bias: float,
    count: int,
    behind: int,
) -> Feature:
    """Thresholds at one distance as a quantiser of step `scale`, each channel stretched to it and shifted.

    count: of thresholds.  behind: axes after that of the channels.
    """
    first, distance, just_so = line
    least = round(bias / scale)
    inside = least <= 0 < least + count and np.isclose(bias, least * scale, rtol=NEAR, atol=0)
    least = least if inside else 0
    op = Quantise(scale=np.asarray(scale), zero_point=0, qmin=least, qmax=least + count, rounding="half-up")
    stretch = scale / distance
    shift = scale * (0.5 + least) - first * stretch
    if (np.abs(stretch - 1) > NEAR).any() or (np.abs(shift) > NEAR * (np.abs(first) + count * distance)).any():
        scales = None if just_so and (stretch == 1).all() else _small(_along(stretch, behind))
        shifts = _small(_along(shift, behind)) if shift.any() else None
        source = reader.add(Affine(scale=scales, shift=shifts), source, inner=True)
    counted = reader.add(op, source, inner=not inside)
    return counted if inside else reader.add(Affine(shift=np.asarray(bias)), counted)


def _along(array: Array, behind: int) -> Array:
    """The last axis of the array as that of the channels, `behind` axes before the last one."""
    return array.reshape(*array.shape, *(1,) * behind)


def _small(array: Array) -> Array:
    return array.reshape(()) if array.size == 1 else array
