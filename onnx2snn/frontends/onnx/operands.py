"""What a rule asks of the node it reads and of the symbols that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.symbols import (
    Codes,
    Constant,
    DynamicCodes,
    DynamicScale,
    DynamicSum,
    DynamicZero,
    Feature,
    Integers,
    Symbol,
    Weights,
)
from onnx2snn.ir.op import Array, Shape

if TYPE_CHECKING:
    import onnx_ir


def attribute(node: onnx_ir.Node, name: str, default: Any = None) -> Any:
    """The value of an attribute, or `default`."""
    return node.attributes[name].value if name in node.attributes else default


KINDS: dict[type, str] = {
    Constant: "a constant",
    Weights: "a dequantised constant",
    Codes: "integer codes",
    Integers: "an integer input",
    DynamicCodes: "integer codes",
    DynamicScale: "a scale worked out from the data",
    DynamicZero: "a zero point worked out from the data",
    DynamicSum: "integer sums whose scale depends on the data",
}


def feature(symbol: Symbol | None, what: str = "input") -> Feature:
    """The symbol as a feature; raises `ModelError` where it is not one."""
    if isinstance(symbol, Feature):
        return symbol
    kind = "nothing" if symbol is None else KINDS[type(symbol)]
    raise ModelError(f"{what}: a real-valued feature expected, found {kind}")


def constant(symbol: Symbol | None, what: str) -> Array:
    """The symbol as a known array; raises `ModelError` where its value depends on the input."""
    if isinstance(symbol, Constant):
        return symbol.array
    if isinstance(symbol, Weights):
        return symbol.dequantised()
    raise ModelError(f"{what}: a constant expected, found a value that depends on the input")


def against_feature(array: Array, shape: Shape, what: str) -> Array:
    """A constant operand as it broadcasts against a feature of `shape`, the batch axis taken off, as float64."""
    values = np.asarray(array, np.float64)
    if values.ndim == len(shape) + 1:
        if values.shape[0] != 1:
            raise ModelError(f"{what} {values.shape}: one value for all samples of a batch expected")
        values = values[0]
    if values.ndim > len(shape) or np.broadcast_shapes(values.shape, shape) != shape:
        raise ModelError(f"{what} {array.shape} does not broadcast to {shape}")
    return values


def integers(values: Sequence[int] | None, default: Shape) -> Shape:
    """An attribute of integers as a tuple."""
    return default if values is None else tuple(int(v) for v in values)
