"""Trunc of QONNX: whole numbers with their lowest bits dropped, as after a sum or an average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.domains import QONNX
from onnx2snn.frontends.onnx.operands import against_feature, attribute, constant, feature
from onnx2snn.frontends.onnx.qonnx import UPWARD, quantised, step_size
from onnx2snn.frontends.onnx.qonnx_numbers import MOST_BITS, WIDEST, code_range, rounding_of, whole_number
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.symbols import Feature, Symbol
from onnx2snn.ir.ops import (
    Affine,
    AveragePool,
    Concat,
    Gather,
    MaxPool,
    Pad,
    Quantise,
    QuantiserRounding,
    Relu,
    Reshape,
    Transpose,
)

if TYPE_CHECKING:
    import onnx_ir

#: halves of an input step by which breakpoints that lie on the input's grid move between two of its points
ASIDE: dict[QuantiserRounding, int] = {"floor": 1, "half-up": 1, "ceil": -1, "half-down": -1}


@rule("Trunc", domain=QONNX)
def _trunc(
    reader: Reader, node: onnx_ir.Node, x: Symbol, scale: Symbol, zero: Symbol, in_bits: Symbol, *out: Symbol
) -> Symbol:
    """Version 1 (out: bits): y = scale round(m / 2^(in bits - out bits)), with m = x / scale, whole.

    Version 2 (out: scale, [zero point,] bits): y = out scale clip(round(m scale / out scale)).
    """
    source = feature(x)
    step = against_feature(step_size(scale), reader.shape(source), "scale")
    bits = whole_number(constant(out[-1] if out else None, "output bit width"), "output bit width", 1, MOST_BITS)
    offset = whole_number(constant(zero, "zero point"), "zero point", -(2**WIDEST), 2**WIDEST)
    positive = never_negative(reader, source)
    if len(out) == 1:
        wide = whole_number(constant(in_bits, "input bit width"), "input bit width", bits, 2 * WIDEST)
        dropped, made = 2.0 ** (wide - bits), step
        codes = (0 if positive else code_range(bits, True, False)[0], code_range(bits, False, False)[1])
        if offset:
            raise ModelError(f"zero point 0 expected, found {offset}")
    else:
        made = against_feature(step_size(out[0], "output scale"), reader.shape(source), "output scale")
        dropped = _power_of_two(float(made.max() / step.max()))
        signed, narrow = bool(attribute(node, "signed", 1)), bool(attribute(node, "narrow", 0))
        codes = code_range(bits, signed, narrow)
        positive = positive or not signed
        if offset % dropped:
            raise ModelError(f"a zero point that is a multiple of {dropped:g} expected, found {offset}")
    rounding = rounding_of(attribute(node, "rounding_mode", "FLOOR"))[1]
    rounding = UPWARD.get(rounding, rounding) if positive else rounding
    if dropped == 1:
        rounding = "half-even"
    stretch = made / (step * dropped)
    aside = ASIDE.get(rounding, 0) * 0.5 * step * stretch
    if (stretch != 1).any() or aside.any():
        op = Affine(scale=None if (stretch == 1).all() else stretch, shift=aside if aside.any() else None)
        source = reader.add(op, source, inner=True)
    return quantised(reader, source, made, int(offset // dropped), codes, rounding)


def _power_of_two(ratio: float) -> float:
    exponent = float(np.rint(np.log2(ratio)))
    if exponent < 0:
        raise ModelError(f"an output scale of at least the scale expected, found {ratio} of it")
    return 2.0**exponent


def never_negative(reader: Reader, x: Feature) -> bool:
    """Whether a feature cannot be negative, as far as the ops before it show."""
    node = reader.graph[x.name]
    op = node.op
    if isinstance(op, Relu):
        return True
    if isinstance(op, Quantise):
        return op.qmin >= op.zero_point
    passing = isinstance(op, (AveragePool, MaxPool, Reshape, Transpose, Gather, Pad, Concat))
    scaling = isinstance(op, Affine) and op.shift is None and (op.scale is None or bool((op.scale >= 0).all()))
    return (passing or scaling) and all(never_negative(reader, Feature(name)) for name in node.inputs)
