"""Nearest resizing: every entry of the output is one of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.codes import moves
from onnx2snn.frontends.onnx.moves import gathered
from onnx2snn.frontends.onnx.operands import attribute, constant, feature
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.symbols import Symbol
from onnx2snn.ir.op import Array

if TYPE_CHECKING:
    import onnx_ir


@rule("Resize")
@moves
def _resize(
    reader: Reader,
    node: onnx_ir.Node,
    x: Symbol,
    roi: Symbol | None = None,
    scales: Symbol | None = None,
    sizes: Symbol | None = None,
) -> Symbol:
    source = feature(x)
    shape = reader.shape(source)
    mode = str(attribute(node, "mode", "nearest"))
    if mode != "nearest":
        raise ModelError(f"mode nearest expected, found {mode}; export with nearest upsampling")
    factors = _numbers(scales)
    if factors:
        wanted = [int(np.floor(n * f)) for n, f in zip(shape, factors[1:], strict=True)]
    else:
        wanted = [int(n) for n in _numbers(sizes)[1:]]
        factors = [1.0, *(w / n for w, n in zip(wanted, shape, strict=True))]
    for axis, (size, new, factor) in enumerate(zip(shape, wanted, factors[1:], strict=True)):
        source = gathered(reader, source, axis, _nearest(node, size, new, factor))
    return source


def _numbers(symbol: Symbol | None) -> list[float]:
    return [] if symbol is None else [float(n) for n in constant(symbol, "scales or sizes").ravel()]


def _nearest(node: onnx_ir.Node, size: int, new: int, factor: float) -> Array:
    """The input entry that each output entry takes: ONNX Resize, mode nearest, in float32 as ONNX Runtime does it."""
    coordinate = str(attribute(node, "coordinate_transformation_mode", "half_pixel"))
    places, scale = np.arange(new, dtype=np.float32), np.float32(factor)
    if coordinate == "asymmetric":
        found = places / scale
    elif coordinate == "align_corners":
        found = places * np.float32((size - 1) / (new - 1)) if new > 1 else places * 0
    elif coordinate in ("half_pixel", "pytorch_half_pixel"):
        found = (places + np.float32(0.5)) / scale - np.float32(0.5)
        if coordinate == "pytorch_half_pixel" and new == 1:
            found = places * 0
    else:
        raise ModelError(f"coordinate mode half_pixel, asymmetric or align_corners expected, found {coordinate}")
    rounding = str(attribute(node, "nearest_mode", "round_prefer_floor"))
    near = {
        "round_prefer_floor": lambda v: np.ceil(v - 0.5),
        "round_prefer_ceil": lambda v: np.floor(v + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }[rounding](found)
    return np.clip(near, 0, size - 1).astype(np.int64)
