"""Sums, products, comparisons and choices, of features with constants and with each other; BatchNormalization."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.dynamic import dynamic_product
from onnx2snn.frontends.onnx.operands import against_feature, attribute, constant, feature
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.shapes import expanded
from onnx2snn.frontends.onnx.symbols import Feature, Symbol
from onnx2snn.ir.op import Array, Op
from onnx2snn.ir.ops import Add, Affine, BatchNorm, Clip, Maximum, Minimum, Multiply, Relu, Unary

if TYPE_CHECKING:
    import onnx_ir

MINUS = np.asarray(-1.0)


@rule("BatchNormalization")
def _batch_norm(reader: Reader, node: onnx_ir.Node, x: Symbol, *parameters: Symbol) -> Symbol:
    if attribute(node, "training_mode", 0):
        raise ModelError("training_mode = 0 expected, found 1")
    if not attribute(node, "spatial", 1):
        raise ModelError("spatial = 1 expected (one mean and variance for each channel), found 0")
    names = ("scale", "B", "mean", "var")
    gamma, beta, mean, var = (constant(p, n).astype(np.float64) for p, n in zip(parameters, names, strict=True))
    epsilon = float(attribute(node, "epsilon", 1e-5))
    return reader.add(BatchNorm(gamma=gamma, beta=beta, mean=mean, var=var, epsilon=epsilon), feature(x))


# -- sums and products -------------------------------------------------------------------------------------------------


@rule("Add", "Sum")
def _add(reader: Reader, node: onnx_ir.Node, *terms: Symbol) -> Symbol:
    features = _same_shape(reader, [term for term in terms if isinstance(term, Feature)])
    total = features[0] if len(features) == 1 else reader.add(Add(), *features)
    for term in terms:
        if not isinstance(term, Feature):
            total = shifted(reader, total, constant(term, "term"))
    return total


@rule("Sub")
def _sub(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol) -> Symbol:
    if isinstance(b, Feature):
        return _add(reader, node, a, reader.add(Affine(scale=MINUS), b))
    return shifted(reader, feature(a), -constant(b, "subtrahend").astype(np.float64))


@rule("Neg")
def _neg(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    return reader.add(Affine(scale=MINUS), feature(x))


@rule("Mul")
def _mul(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol) -> Symbol:
    dynamic = dynamic_product(reader, a, b)
    if dynamic is not None:
        return dynamic
    if isinstance(a, Feature) and isinstance(b, Feature):
        return reader.add(Multiply(), *_same_shape(reader, [a, b]))
    source, factor = (a, b) if isinstance(a, Feature) else (b, a)
    return scaled(reader, feature(source), constant(factor, "factor"))


@rule("Div")
def _div(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol) -> Symbol:
    if isinstance(b, Feature):
        inverse = reader.add(Unary(function="reciprocal"), b)
        return inverse if _is_one(a) else _mul(reader, node, a, inverse)
    divisor = constant(b, "divisor")
    if not divisor.all():
        raise ModelError("a divisor without zeros expected")
    quotient = scaled(reader, feature(a), 1.0 / divisor.astype(np.float64))
    whole = divisor.dtype.kind in "iu"  # whole numbers divide into whole numbers, toward zero
    return reader.add(Unary(function="truncate"), quotient) if whole else quotient


def _is_one(symbol: Symbol) -> bool:
    return not isinstance(symbol, Feature) and bool((constant(symbol, "dividend") == 1).all())


@rule("Pow")
def _pow(reader: Reader, node: onnx_ir.Node, x: Symbol, exponent: Symbol) -> Symbol:
    power = constant(exponent, "exponent")
    if power.size != 1:
        raise ModelError(f"one exponent expected, found shape {power.shape}")
    return reader.add(Unary(function="power", alpha=float(power.ravel()[0])), feature(x))


def shifted(reader: Reader, source: Feature, shift: Array) -> Feature:
    """The feature and a constant added, either broadcast to the other."""
    source, values = _fitted(reader, source, shift, "term")
    return reader.add(Affine(shift=values), source)


def scaled(reader: Reader, source: Feature, scale: Array) -> Feature:
    """The feature and a constant multiplied, either broadcast to the other."""
    source, values = _fitted(reader, source, scale, "factor")
    return reader.add(Affine(scale=values), source)


def _fitted(reader: Reader, source: Feature, array: Array, what: str) -> tuple[Feature, Array]:
    """A feature and a constant operand that broadcasts to it without enlarging it."""
    shape = reader.shape(source)
    inner = array.shape[1:] if array.ndim == len(shape) + 1 else array.shape
    try:
        wide = np.broadcast_shapes(inner, shape)
    except ValueError:
        raise ModelError(f"{what} {array.shape} does not broadcast to {shape}") from None
    source = expanded(reader, source, wide)
    return source, against_feature(array, wide, what)


def _same_shape(reader: Reader, features: Sequence[Feature]) -> list[Feature]:
    shapes = [reader.shape(f) for f in features]
    try:
        wide = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ModelError(f"operands that broadcast to each other expected, found {shapes}") from None
    return [expanded(reader, f, wide) for f in features]


# -- comparisons and choices -------------------------------------------------------------------------------------------


@rule("Min", "Max")
def _extreme(reader: Reader, node: onnx_ir.Node, *operands: Symbol) -> Symbol:
    least = node.op_type == "Min"
    features = _same_shape(reader, [operand for operand in operands if isinstance(operand, Feature)])
    op: Op = Minimum() if least else Maximum()
    result = reduce(lambda a, b: reader.add(op, a, b), features)
    for operand in operands:
        if not isinstance(operand, Feature):
            result = _bounded(reader, result, constant(operand, "bound"), least)
    return result


def _bounded(reader: Reader, source: Feature, bound: Array, above: bool) -> Feature:
    """min(x, bound) where `above`, else max(x, bound)."""
    if bound.size == 1:
        value = float(bound.ravel()[0])
        if not above and value == 0:
            return reader.add(Relu(), source)
        return reader.add(Clip(low=-np.inf if above else value, high=value if above else np.inf), source)
    sign = -1.0 if above else 1.0  # max(x, c) = c + relu(x - c), min(x, c) = c - relu(c - x)
    distance = scaled(reader, shifted(reader, source, -bound.astype(np.float64)), np.asarray(sign))
    return shifted(reader, scaled(reader, reader.add(Relu(), distance), np.asarray(sign)), bound.astype(np.float64))


@rule("Greater", "GreaterOrEqual", "Less", "LessOrEqual")
def _compared(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol) -> Symbol:
    """A feature of ones (true) and zeros."""
    if node.op_type.startswith("Less"):
        a, b = b, a
    difference = _sub(reader, node, a, b)
    function = "nonnegative" if node.op_type.endswith("Equal") else "positive"
    return reader.add(Unary(function=function), feature(difference))


@rule("Not")
def _not(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    return reader.add(Affine(scale=MINUS, shift=np.asarray(1.0)), feature(x))


@rule("And")
def _and(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol) -> Symbol:
    return _mul(reader, node, a, b)


@rule("Where")
def _where(reader: Reader, node: onnx_ir.Node, condition: Symbol, a: Symbol, b: Symbol) -> Symbol:
    """condition a + (1 - condition) b, for a condition of ones and zeros."""
    chosen = feature(condition, "condition")
    return _add(reader, node, _mul(reader, node, chosen, a), _mul(reader, node, feature(_not(reader, node, chosen)), b))
