"""Grids of quantisers, and constants on them."""

from __future__ import annotations

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.symbols import Codes, Constant, Grid, Symbol, Weights
from onnx2snn.ir.op import Array, Shape

RANGES = {f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (2, 4, 8, 16)}
RANGES |= {f"UINT{bits}": (0, 2**bits - 1) for bits in (2, 4, 8, 16)}


def checked_scale(scale: Array) -> Array:
    """The scale as float64; raises `ModelError` unless it is positive and finite."""
    steps = scale.astype(np.float64)
    if not (np.isfinite(steps) & (steps > 0)).all():
        raise ModelError(f"scale must be positive and finite, found {steps.min()}")
    return steps


def grid_of(scale: Array, zeros: Array | None, axis: int = 1, kind: str = "UINT8") -> Grid:
    """A grid of the type of its zero point, or of type `kind` where it has none."""
    steps = checked_scale(scale)
    name = kind if zeros is None else zeros.dtype.name.upper()
    if name not in RANGES:
        raise ModelError(f"an integer type of 2 to 16 bits expected, found {name}")
    points = np.zeros(steps.shape, np.int64) if zeros is None else zeros.astype(np.int64)
    return Grid(steps, points, axis, *RANGES[name])


def whole(symbol: Symbol | None, what: str = "weight") -> Array:
    """A constant as integer codes: as the file has them, or quantised in the graph (float32, as ONNX Runtime does).

    Those of the graph are read-only, and int8 where their grid fits.
    """
    if isinstance(symbol, Constant) and symbol.array.dtype.kind not in "f":
        return symbol.array
    if not isinstance(symbol, Codes) or not isinstance(symbol.source, Constant):
        raise ModelError(f"{what}: constant integers expected, found something else")
    values, grid = symbol.source.array, symbol.grid
    steps = along(grid.scale, grid.axis, values.ndim).astype(np.float32)
    zeros = along(grid.zero_point, grid.axis, values.ndim)
    if not np.isfinite(values).all():
        raise ModelError("finite weights expected, found NaN or infinity")
    codes = np.asarray(values.astype(np.float32, copy=False) / steps)
    np.rint(codes, out=codes)
    if zeros.any():
        codes = codes + zeros
    np.clip(codes, grid.qmin, grid.qmax, out=codes)
    small = grid.qmin >= -128 and grid.qmax <= 127
    codes = codes.astype(np.int8 if small else np.int64)
    codes.flags.writeable = False
    return codes


def weights_of(codes: Array, scale: Array, zeros: Array | None, axis: int) -> Weights:
    """Integer codes with their grid, one scale for all or one for each index along `axis`."""
    steps = checked_scale(scale)
    axis = axis % codes.ndim if codes.ndim else 0
    if steps.size > 1 and codes.shape[axis] != steps.size:
        raise ModelError(f"{steps.size} scales do not fit axis {axis} of a constant of shape {codes.shape}")
    if codes.dtype != np.int8 or (zeros is not None and zeros.any()):
        codes = codes.astype(np.int64) - (0 if zeros is None else along(zeros, axis, codes.ndim).astype(np.int64))
    return Weights(codes, steps.reshape(-1) if steps.size > 1 else steps.reshape(()), axis)


def along(array: Array, axis: int, rank: int) -> Array:
    """A scalar, or one number for each index along `axis` of an array of `rank` axes."""
    if array.size == 1:
        return array.reshape(())
    shape = [1] * rank
    shape[axis] = -1
    return array.reshape(shape)


def feature_scale(grid: Grid, shape: Shape) -> Array:
    """The scale as it broadcasts against a feature of `shape` (no batch axis)."""
    if grid.scale.size == 1:
        return grid.scale.reshape(())
    axis = grid.axis % (len(shape) + 1)
    if axis == 0 or shape[axis - 1] != grid.scale.size:
        raise ModelError(
            f"{grid.scale.size} scales do not fit axis {axis} of a feature (batch, {', '.join(map(str, shape))})"
        )
    return along(grid.scale, axis - 1, len(shape))
