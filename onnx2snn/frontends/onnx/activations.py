"""Activations and other functions of one feature, entry by entry; softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.codes import as_numbers, clip_codes
from onnx2snn.frontends.onnx.operands import against_feature, attribute, constant, feature
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.shapes import reshaped
from onnx2snn.frontends.onnx.symbols import Codes, DynamicSum, Integers, Symbol
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Clip, Function, LeakyRelu, Relu, Softmax, Unary

if TYPE_CHECKING:
    import onnx_ir

FUNCTIONS: dict[str, Function] = {
    "Abs": "abs",
    "Ceil": "ceil",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "HardSwish": "hard-swish",
    "Log": "log",
    "Mish": "mish",
    "Reciprocal": "reciprocal",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Tanh": "tanh",
}
#: ONNX op: function, and the attributes that are its alpha and beta, with their defaults
WITH_PARAMETERS: dict[str, tuple[Function, tuple[tuple[str, float], ...]]] = {
    "Celu": ("celu", (("alpha", 1.0),)),
    "Elu": ("elu", (("alpha", 1.0), ("", 1.0))),
    "HardSigmoid": ("hard-sigmoid", (("alpha", 0.2), ("beta", 0.5))),
    "Selu": ("selu", (("alpha", 1.6732632423543772), ("gamma", 1.0507009873554805))),
    "ThresholdedRelu": ("thresholded-relu", (("alpha", 1.0),)),
}
REAL_TYPES = (1, 10, 11, 16)  #: ONNX's float, float16, double and bfloat16


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


@rule("LeakyRelu")
def _leaky_relu(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    return reader.add(LeakyRelu(slope=np.asarray(float(attribute(node, "alpha", 0.01)))), feature(x))


@rule("PRelu")
def _prelu(reader: Reader, node: onnx_ir.Node, x: Symbol, slope: Symbol) -> Symbol:
    source = feature(x)
    values = against_feature(constant(slope, "slope"), reader.shape(source), "slope")
    return reader.add(LeakyRelu(slope=values), source)


@rule(*FUNCTIONS)
def _function(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    return reader.add(Unary(function=FUNCTIONS[node.op_type]), feature(x))


@rule(*WITH_PARAMETERS)
def _parametric(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    function, names = WITH_PARAMETERS[node.op_type]
    values = [float(attribute(node, name, default)) for name, default in names]
    alpha, beta = (*values, 0.0)[:2]
    return reader.add(Unary(function=function, alpha=alpha, beta=beta), feature(x))


@rule("Gelu")
def _gelu(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    exact = str(attribute(node, "approximate", "none")) == "none"
    return reader.add(Unary(function="gelu" if exact else "gelu-tanh"), feature(x))


@rule("Cast")
def _cast(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    """Between real numbers nothing changes; to whole numbers the fraction is cut off."""
    whole = int(attribute(node, "to", 1)) not in REAL_TYPES
    if isinstance(x, Integers) and not whole:
        return as_numbers(reader, x)
    if isinstance(x, DynamicSum):
        return x
    return reader.add(Unary(function="truncate"), feature(x)) if whole else x


@rule("Softmax", "LogSoftmax")
def _softmax(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    """Along one axis; before opset 13 along all axes from `axis` on."""
    source = feature(x)
    shape = reader.shape(source)
    whole = reader.model.opset_imports.get("", 0) < 13
    axis = int(attribute(node, "axis", 1 if whole else -1)) % (len(shape) + 1) - 1
    if axis < 0:
        raise ModelError("an axis after the batch axis expected, found axis 0")
    log = node.op_type == "LogSoftmax"
    if not whole or axis == len(shape) - 1:
        return reader.add(Softmax(axis=axis, log=log), source)
    flat = reshaped(reader, source, (*shape[:axis], int(np.prod(shape[axis:]))))
    return reshaped(reader, reader.add(Softmax(axis=axis, log=log), flat), shape)
