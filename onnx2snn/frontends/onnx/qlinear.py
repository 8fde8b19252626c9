"""QOperator: integer ops that carry the grids of their inputs and of their output as operands.

Each is read as what it means: the real op on dequantised inputs, then codes on the grid of the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError, UnsupportedOpError
from onnx2snn.frontends.onnx.codes import requantised, values
from onnx2snn.frontends.onnx.dynamic import real_of
from onnx2snn.frontends.onnx.grids import weights_of, whole
from onnx2snn.frontends.onnx.linear import conv, gemm, matmul
from onnx2snn.frontends.onnx.operands import against_feature, attribute, constant, feature
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import RULES, rule
from onnx2snn.frontends.onnx.symbols import Constant, DynamicCodes, Feature, Symbol, Weights
from onnx2snn.ir.ops import Affine

if TYPE_CHECKING:
    import onnx_ir

MICROSOFT = "com.microsoft"


@rule("QLinearConv")
def _qlinear_conv(reader: Reader, node: onnx_ir.Node, *operands: Symbol | None) -> Symbol:
    """x, its scale and zero point; w, its scale(s) and zero point(s); scale and zero point of y; bias in 32 bits."""
    x, w, y, bias = operands[:3], operands[3:6], operands[6:8], operands[8] if len(operands) > 8 else None
    weights = _weights(w, 0)
    made = conv(reader, node, _operand(reader, x), weights, _bias(bias, x[1], weights))
    return requantised(reader, feature(made), *y)


@rule("QLinearMatMul")
@rule("QLinearMatMul", domain=MICROSOFT)
def _qlinear_matmul(reader: Reader, node: onnx_ir.Node, *operands: Symbol | None) -> Symbol:
    """a, its scale and zero point; b, its scale(s) and zero point(s); scale and zero point of y."""
    made = matmul(reader, node, _operand(reader, operands[:3]), _weights(operands[3:6], 1))
    return requantised(reader, feature(made), *operands[6:8])


@rule("QGemm", domain=MICROSOFT)
def _qgemm(reader: Reader, node: onnx_ir.Node, *operands: Symbol | None) -> Symbol:
    """As QLinearMatMul, with a bias in 32 bits before the grid of y; without that grid the output is real."""
    a, b, bias, y = operands[:3], operands[3:6], operands[6] if len(operands) > 6 else None, operands[7:9]
    weights = _weights(b, 0 if attribute(node, "transB", 0) else 1)
    shift = _bias(bias, a[1], weights)
    if shift is not None:
        shift = Constant(shift.array * float(attribute(node, "alpha", 1.0)))
    made = feature(gemm(reader, node, _operand(reader, a), weights, shift))
    return requantised(reader, made, *y) if y and y[0] is not None else made


@rule("MatMulIntegerToFloat", domain=MICROSOFT)
def _matmul_integer_to_float(
    reader: Reader,
    node: onnx_ir.Node,
    a: Symbol,
    b: Symbol,
    a_scale: Symbol,
    b_scale: Symbol,
    a_zero: Symbol | None = None,
    b_zero: Symbol | None = None,
    bias: Symbol | None = None,
) -> Symbol:
    source = real_of(reader, a, a_scale) if isinstance(a, DynamicCodes) else values(reader, a, a_scale, a_zero)
    made = matmul(reader, node, source, _weights((b, b_scale, b_zero), 1))
    if bias is None:
        return made
    shift = against_feature(constant(bias, "bias"), reader.shape(feature(made)), "bias")
    return reader.add(Affine(shift=shift), feature(made))


@rule("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def _two(reader: Reader, node: onnx_ir.Node, *operands: Symbol | None) -> Symbol:
    """a, its scale and zero point; b, likewise; scale and zero point of y."""
    made = plain(reader, node, _operand(reader, operands[:3]), _operand(reader, operands[3:6]))
    return requantised(reader, made, *operands[6:8])


@rule(
    "QLinearAveragePool",
    "QLinearGlobalAveragePool",
    "QLinearLeakyRelu",
    "QLinearSigmoid",
    "QLinearSoftmax",
    domain=MICROSOFT,
)
def _one(reader: Reader, node: onnx_ir.Node, *operands: Symbol | None) -> Symbol:
    """x, its scale and zero point; scale and zero point of y."""
    if attribute(node, "channels_last", 0):
        raise ModelError("channels_last = 0 expected, found 1")
    made = plain(reader, node, _operand(reader, operands[:3]))
    return requantised(reader, made, *operands[3:5])


@rule("QLinearConcat", domain=MICROSOFT)
def _concat(reader: Reader, node: onnx_ir.Node, scale: Symbol, zero_point: Symbol, *operands: Symbol | None) -> Symbol:
    """Scale and zero point of y; then each part with its scale and zero point."""
    parts = [_operand(reader, operands[i : i + 3]) for i in range(0, len(operands), 3)]
    return requantised(reader, plain(reader, node, *parts), scale, zero_point)


def plain(reader: Reader, node: onnx_ir.Node, *inputs: Symbol) -> Feature:
    """What the real op that a QLinear op stands for makes of real inputs."""
    import onnx_ir

    name = node.op_type.removeprefix("QLinear")
    if ("", name) not in RULES:
        raise UnsupportedOpError(f"{node.op_type} stands for {name}, which no rule reads")
    real = onnx_ir.Node("", name, (), node.attributes.values(), num_outputs=1, name=node.name)
    made = RULES["", name](reader, real, *inputs)
    assert not isinstance(made, tuple)
    return feature(made)


def _operand(reader: Reader, operand: Sequence[Symbol | None]) -> Symbol:
    """What an input, its scale and its zero point stand for."""
    codes, scale, zero_point = operand
    return values(reader, codes, scale, zero_point)


def _weights(operands: Sequence[Symbol | None], axis: int) -> Weights:
    symbol, scale, zero = operands
    zeros = None if zero is None else constant(zero, "zero point of the weights")
    return weights_of(whole(symbol), constant(scale, "scale of the weights"), zeros, axis)


def _bias(symbol: Symbol | None, scale: Symbol | None, weights: Weights) -> Constant | None:
    """A bias in units of the products: scale of the input times scale of the weights."""
    if symbol is None:
        return None
    steps = constant(scale, "scale").astype(np.float64).reshape(()) * weights.scale
    return Constant(constant(symbol, "bias").astype(np.float64) * steps)
