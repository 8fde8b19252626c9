"""QONNX: quantisers as one op, on features and on constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError, UnsupportedOpError
from onnx2snn.frontends.onnx.domains import QONNX
from onnx2snn.frontends.onnx.operands import against_feature, attribute, constant
from onnx2snn.frontends.onnx.qonnx_numbers import MOST_BITS, WIDEST, code_range, rounding_of, whole_number
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.symbols import Constant, Feature, Symbol, Weights
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Affine, Quantise, QuantiserRounding, Relu, Steps

if TYPE_CHECKING:
    import onnx_ir

#: rounding of numbers that are not negative
UPWARD: dict[QuantiserRounding, QuantiserRounding] = {
    "half-away": "half-up",
    "half-toward-zero": "half-down",
    "away": "ceil",
    "truncate": "floor",
}


@rule("Quant", "IntQuant", domain=QONNX)
def _quant(reader: Reader, node: onnx_ir.Node, x: Symbol, scale: Symbol, zero: Symbol, bits: Symbol) -> Symbol:
    steps = step_size(scale)
    width = whole_number(constant(bits, "bit width"), "bit width", 1, WIDEST)
    signed, narrow = bool(attribute(node, "signed", 1)), bool(attribute(node, "narrow", 0))
    offset = whole_number(constant(zero, "zero point"), "zero point", -(2**WIDEST), 2**WIDEST)
    if signed and width == 1:
        if offset:
            raise ModelError(f"zero point 0 expected of a quantiser of one signed bit, found {offset}")
        return _bipolar(reader, x, steps)
    low, high = code_range(width, signed, narrow)
    if low >= high:
        raise ModelError("two codes or more expected, found a narrow range of one bit")
    function, rounding = rounding_of(attribute(node, "rounding_mode", "ROUND"))
    if isinstance(x, Feature) and width > MOST_BITS:
        reader.note(f"a quantiser of {width} bits: its rounding, half a step of {steps.max():g} at most, is left out")
        return x if signed else reader.add(Relu(), x)
    if isinstance(x, Feature):
        return quantised(reader, x, steps, offset, (low, high), rounding)
    values = constant(x, "input").astype(np.float32)
    if not np.isfinite(values).all():
        raise ModelError("finite weights expected, found NaN or infinity")
    codes = function(np.clip(values / steps.astype(np.float32) + np.float32(offset), low, high))
    return scaled_codes(codes.astype(np.int64) - offset, steps)


@rule("BipolarQuant", domain=QONNX)
def _bipolar_quant(reader: Reader, node: onnx_ir.Node, x: Symbol, scale: Symbol) -> Symbol:
    return _bipolar(reader, x, step_size(scale))


@rule("FloatQuant", domain=QONNX)
def _float_quant(reader: Reader, node: onnx_ir.Node, *_: Symbol) -> Symbol:
    raise UnsupportedOpError("a minifloat has no steps of one size; quantise with IntQuant (integers) instead")


@rule("DebugMarker", domain=QONNX)
def _marker(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    return x


def step_size(scale: Symbol | None, what: str = "scale") -> Array:
    """A constant that must be positive, as float64."""
    steps = constant(scale, what).astype(np.float64)
    if not (np.isfinite(steps) & (steps > 0)).all():
        raise ModelError(f"{what} must be positive and finite, found {steps.min()}")
    return steps


def quantised(
    reader: Reader, x: Feature, scale: Array, zero: int, codes: tuple[int, int], rounding: QuantiserRounding
) -> Feature:
    """A feature quantised: scale (clip(round(x / scale + zero), *codes) - zero).

    The IR rounds before it adds the zero point. Where that makes a difference the feature is shifted instead.
    """
    steps = _small(against_feature(scale, reader.shape(x), "scale"))
    if codes[0] >= 0 and zero:
        rounding = UPWARD.get(rounding, rounding)
    if zero == 0 or rounding in ("floor", "ceil", "half-up", "half-down") or (rounding == "half-even" and not zero % 2):
        op = Quantise(scale=steps, zero_point=zero, qmin=codes[0], qmax=codes[1], rounding=rounding)
        return reader.add(op, x)
    shifted = reader.add(Affine(shift=steps * zero), x, inner=True)
    op = Quantise(scale=steps, zero_point=0, qmin=codes[0], qmax=codes[1], rounding=rounding)
    return reader.add(Affine(shift=-steps * zero), reader.add(op, shifted, inner=True))


def scaled_codes(codes: Array, scale: Array) -> Symbol:
    """A quantised constant, codes * scale: integers where one axis at most has scales of its own."""
    if scale.size == 1:
        return Weights(codes, scale.reshape(()), 0)
    codes = np.broadcast_to(codes, np.broadcast_shapes(codes.shape, scale.shape))
    lined_up = scale.reshape((1,) * (codes.ndim - scale.ndim) + scale.shape)
    axes = [axis for axis, size in enumerate(lined_up.shape) if size > 1]
    if len(axes) == 1:
        return Weights(codes, scale.reshape(-1), axes[0])
    return Constant(codes.astype(np.float32) * lined_up.astype(np.float32))


def _bipolar(reader: Reader, x: Symbol, scale: Array) -> Symbol:
    """+scale where x >= 0, else -scale."""
    if not isinstance(x, Feature):
        return scaled_codes(np.where(constant(x, "input") >= 0, 1, -1).astype(np.int8), scale)
    steps = _small(against_feature(scale, reader.shape(x), "scale"))
    origin = np.zeros((1,) * (1 + len(reader.shape(x))))
    if steps.ndim == 0:
        return reader.add(Steps(breakpoints=origin, heights=np.array([2.0 * steps]), base=-float(steps)), x)
    signs = reader.add(Steps(breakpoints=origin, heights=np.array([2.0]), base=-1.0), x, inner=True)
    return reader.add(Affine(scale=steps), signs)


def _small(array: Array) -> Array:
    return array.reshape(()) if array.size == 1 else array
