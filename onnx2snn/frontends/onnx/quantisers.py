"""QDQ and QCDQ: QuantizeLinear, [Clip], DequantizeLinear, on features and on weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.reader import Reader, attribute, constant, feature, rule
from onnx2snn.frontends.onnx.symbols import Codes, Constant, Feature, Grid, Symbol, Weights
from onnx2snn.ir.op import Array, Shape
from onnx2snn.ir.ops import Quantise

if TYPE_CHECKING:
    import onnx_ir

RANGES = {f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (2, 4, 8, 16)}
RANGES |= {f"UINT{bits}": (0, 2**bits - 1) for bits in (2, 4, 8, 16)}


@rule("QuantizeLinear")
def _quantize(reader: Reader, node: onnx_ir.Node, x: Symbol, scale: Symbol, zero_point: Symbol | None = None) -> Symbol:
    if attribute(node, "block_size", 0):
        raise ModelError("blocked quantisation is not supported; per tensor or per channel expected")
    source = x if isinstance(x, Constant) else feature(x)
    return Codes(source, _grid(node, scale, zero_point))


@rule("DequantizeLinear")
def _dequantize(
    reader: Reader, node: onnx_ir.Node, x: Symbol, scale: Symbol, zero_point: Symbol | None = None
) -> Symbol:
    if attribute(node, "block_size", 0):
        raise ModelError("blocked quantisation is not supported; per tensor or per channel expected")
    steps = constant(scale, "scale").astype(np.float64)
    zeros = np.zeros(steps.shape) if zero_point is None else constant(zero_point, "zero point")
    if isinstance(x, Constant):
        return _weights(x.array, steps, zeros, attribute(node, "axis", 1))
    if not isinstance(x, Codes):
        raise ModelError("integer codes expected, found a real-valued input")
    grid = x.grid
    if not (
        np.array_equal(steps.ravel(), grid.scale.ravel()) and np.array_equal(zeros.ravel(), grid.zero_point.ravel())
    ):
        found = f"scale {steps.ravel()[:3]} and zero point {zeros.ravel()[:3]}"
        raise ModelError(f"scale and zero point of the quantiser before expected, found {found}")
    if isinstance(x.source, Constant):
        return _weights(_codes(x.source.array, grid), grid.scale, grid.zero_point, grid.axis)
    return _quantised_feature(reader, x.source, grid)


def clip_codes(x: Codes, low: Array | None, high: Array | None) -> Codes:
    """Integer codes between QuantizeLinear and DequantizeLinear cut to a smaller range: below 8 bits."""
    grid = x.grid
    qmin = grid.qmin if low is None else max(grid.qmin, int(low))
    qmax = grid.qmax if high is None else min(grid.qmax, int(high))
    if qmin >= qmax:
        raise ModelError(f"Clip leaves an empty range [{qmin}, {qmax}]")
    return Codes(x.source, Grid(grid.scale, grid.zero_point, grid.axis, qmin, qmax))


def _grid(node: onnx_ir.Node, scale: Symbol, zero_point: Symbol | None) -> Grid:
    steps = constant(scale, "scale").astype(np.float64)
    if not (np.isfinite(steps) & (steps > 0)).all():
        raise ModelError(f"scale must be positive and finite, found {steps.min()}")
    zeros = np.zeros(steps.shape) if zero_point is None else constant(zero_point, "zero point")
    name = _declared_type(node) if zero_point is None else zeros.dtype.name.upper()
    if name not in RANGES:
        raise ModelError(f"an integer type of 2 to 16 bits expected, found {name}")
    qmin, qmax = RANGES[name]
    return Grid(steps, zeros.astype(np.int64), attribute(node, "axis", 1), qmin, qmax)


def _declared_type(node: onnx_ir.Node) -> str:
    """The type of the codes where no zero point shows it: `output_dtype` (from opset 21 on), or uint8."""
    import onnx_ir

    return onnx_ir.DataType(attribute(node, "output_dtype", 0) or onnx_ir.DataType.UINT8).name


def _codes(values: Array, grid: Grid) -> Array:
    """The integer codes of a constant, divided in float32 as ONNX Runtime does."""
    steps = _along(grid.scale, grid.axis, values.ndim).astype(np.float32)
    zeros = _along(grid.zero_point, grid.axis, values.ndim)
    if not np.isfinite(values).all():
        raise ModelError("finite weights expected, found NaN or infinity")
    return np.clip(np.rint(values.astype(np.float32) / steps) + zeros, grid.qmin, grid.qmax)


def _weights(codes: Array, scale: Array, zeros: Array, axis: int) -> Weights:
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ModelError(f"scale must be positive and finite, found {scale.min()}")
    axis = axis % codes.ndim if codes.ndim else 0
    if scale.size > 1 and codes.shape[axis] != scale.size:
        raise ModelError(f"{scale.size} scales do not fit axis {axis} of a constant of shape {codes.shape}")
    if codes.dtype != np.int8 or zeros.any():
        codes = codes.astype(np.int64) - _along(zeros, axis, codes.ndim).astype(np.int64)
    return Weights(codes, scale.reshape(-1) if scale.size > 1 else scale.reshape(()), axis)


def _along(array: Array, axis: int, rank: int) -> Array:
    if array.size == 1:
        return array.reshape(())
    shape = [1] * rank
    shape[axis] = -1
    return array.reshape(shape)


def _quantised_feature(reader: Reader, source: Feature, grid: Grid) -> Feature:
    shape = reader.shape(source)
    if len(np.unique(grid.zero_point)) != 1:
        raise ModelError("one zero point for all channels of a feature expected, found several")
    op = Quantise(
        scale=_feature_scale(grid, shape), zero_point=int(grid.zero_point.ravel()[0]), qmin=grid.qmin, qmax=grid.qmax
    )
    return reader.add(op, source)


def _feature_scale(grid: Grid, shape: Shape) -> Array:
    if grid.scale.size == 1:
        return grid.scale.reshape(())
    axis = grid.axis % (len(shape) + 1)
    if axis == 0 or shape[axis - 1] != grid.scale.size:
        raise ModelError(
            f"{grid.scale.size} scales do not fit axis {axis} of a feature (batch, {', '.join(map(str, shape))})"
        )
    return _along(grid.scale, axis - 1, len(shape))
