"""BatchNormalization, activations, sums, concatenation, constant arithmetic, and nodes that change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.codes import as_numbers, clip_codes, moves
from onnx2snn.frontends.onnx.dynamic import dynamic_product
from onnx2snn.frontends.onnx.reader import Reader, against_feature, attribute, constant, feature, rule
from onnx2snn.frontends.onnx.symbols import Codes, Feature, Integers, Symbol
from onnx2snn.frontends.onnx.windows import reshaped
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Add, Affine, BatchNorm, Clip, Concat, Relu, Reshape

if TYPE_CHECKING:
    import onnx_ir


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


@rule("Relu")
def _relu(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    return reader.add(Relu(), feature(x))


@rule("Clip")
def _clip(
    reader: Reader, node: onnx_ir.Node, x: Symbol, low: Symbol | None = None, high: Symbol | None = None
) -> Symbol:
    least, most = _bound(node, "min", low), _bound(node, "max", high)
    if isinstance(x, Codes):
        return clip_codes(reader, node, x, least, most)
    source = feature(x)
    if least is not None and float(least) == 0 and (most is None or np.isposinf(most)):
        return reader.add(Relu(), source)
    return reader.add(
        Clip(low=-np.inf if least is None else float(least), high=np.inf if most is None else float(most)), source
    )


def _bound(node: onnx_ir.Node, name: str, symbol: Symbol | None) -> Array | None:
    """A bound of Clip: an input from opset 11 on, an attribute before."""
    if symbol is None:
        value = attribute(node, name)
        return None if value is None else np.asarray(value)
    array = constant(symbol, name)
    if array.size != 1:
        raise ModelError(f"{name}: one number expected, found shape {array.shape}")
    return array.reshape(())


@rule("Add", "Sum")
def _add(reader: Reader, node: onnx_ir.Node, *terms: Symbol) -> Symbol:
    features = [term for term in terms if isinstance(term, Feature)]
    total = features[0] if len(features) == 1 else _sum(reader, features)
    for term in terms:
        if not isinstance(term, Feature):
            shift = against_feature(constant(term, "term"), reader.shape(total), "term")
            total = reader.add(Affine(shift=shift), total)
    return total


@rule("Sub")
def _sub(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol) -> Symbol:
    if isinstance(b, Feature):
        negative = reader.add(Affine(scale=np.asarray(-1.0)), b)
        return _add(reader, node, a, negative)
    shift = against_feature(constant(b, "subtrahend"), reader.shape(feature(a)), "subtrahend")
    return reader.add(Affine(shift=-shift), feature(a))


@rule("Mul")
def _mul(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol) -> Symbol:
    dynamic = dynamic_product(reader, a, b)
    if dynamic is not None:
        return dynamic
    source, factor = (a, b) if isinstance(a, Feature) else (b, a)
    scale = against_feature(constant(factor, "factor"), reader.shape(feature(source)), "factor")
    return reader.add(Affine(scale=scale), feature(source))


@rule("Div")
def _div(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol) -> Symbol:
    divisor = against_feature(constant(b, "divisor"), reader.shape(feature(a)), "divisor")
    if not divisor.all():
        raise ModelError("a divisor without zeros expected")
    return reader.add(Affine(scale=1.0 / divisor), feature(a))


def _sum(reader: Reader, features: list[Feature]) -> Feature:
    shapes = {reader.shape(f) for f in features}
    if len(shapes) != 1:
        raise ModelError(f"terms of one shape expected, found {sorted(shapes)}")
    return reader.add(Add(), *features)


@rule("Concat")
@moves
def _concat(reader: Reader, node: onnx_ir.Node, *parts: Symbol) -> Symbol:
    features = [feature(part) for part in parts]
    axis = int(attribute(node, "axis", 1)) % (len(reader.shape(features[0])) + 1)
    if axis == 0:
        raise ModelError("a concatenation of features expected, found one of batches (axis 0)")
    return reader.add(Concat(axis=axis - 1), *features)


@rule("Identity", "Dropout", "Cast")
def _same(reader: Reader, node: onnx_ir.Node, x: Symbol, *_: Symbol) -> Symbol:
    if node.op_type != "Cast":
        return x
    to_real = int(attribute(node, "to", 1)) in (1, 10, 11, 16)
    if isinstance(x, Integers) and to_real:
        return as_numbers(reader, x)
    if isinstance(x, Codes) or not to_real:
        raise ModelError("a cast between floating-point types expected, found one from or to integers")
    return x


@rule("Flatten")
@moves
def _flatten(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    source = feature(x)
    shape = reader.shape(source)
    if int(attribute(node, "axis", 1)) % (len(shape) + 1) != 1:
        raise ModelError(f"axis = 1 expected, found {attribute(node, 'axis')}")
    return _to_shape(reader, source, [0, -1])


@rule("Reshape")
@moves
def _reshape(reader: Reader, node: onnx_ir.Node, x: Symbol, shape: Symbol) -> Symbol:
    return _to_shape(reader, feature(x), [int(n) for n in constant(shape, "shape").ravel()])


@rule("Squeeze", "Unsqueeze")
@moves
def _squeeze(reader: Reader, node: onnx_ir.Node, x: Symbol, axes: Symbol | None = None) -> Symbol:
    source = feature(x)
    shape = (0, *reader.shape(source))
    given = attribute(node, "axes") if axes is None else constant(axes, "axes").tolist()
    if given is None:
        raise ModelError("axes expected, found none")
    squeezed = node.op_type == "Squeeze"
    rank = len(shape) + (0 if squeezed else len(given))
    places = {int(a) % rank for a in given}
    if 0 in places:
        raise ModelError("axes after the batch axis expected, found axis 0")
    if squeezed:
        return _to_shape(reader, source, [n for i, n in enumerate(shape) if i not in places])
    sizes = iter(shape)
    return _to_shape(reader, source, [1 if i in places else next(sizes) for i in range(rank)])


def _to_shape(reader: Reader, source: Feature, target: list[int]) -> Feature:
    shape = reader.shape(source)
    made = reshaped(target, shape, reader.batch)
    return source if made == shape else reader.add(Reshape(shape=made), source)
