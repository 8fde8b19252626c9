"""ConvInteger and MatMulInteger: sums of integer products, whose scales come as a multiplication behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.codes import values
from onnx2snn.frontends.onnx.grids import weights_of, whole
from onnx2snn.frontends.onnx.linear import conv, matmul
from onnx2snn.frontends.onnx.operands import constant
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.symbols import (
    Codes,
    Constant,
    DynamicCodes,
    DynamicSum,
    DynamicZero,
    Feature,
    Symbol,
)

if TYPE_CHECKING:
    import onnx_ir


@rule("ConvInteger")
def _conv_integer(
    reader: Reader, node: onnx_ir.Node, x: Symbol, w: Symbol, x_zero: Symbol | None = None, w_zero: Symbol | None = None
) -> Symbol:
    return _sums(conv, 0, reader, node, x, w, x_zero, w_zero)


@rule("MatMulInteger")
def _matmul_integer(
    reader: Reader, node: onnx_ir.Node, x: Symbol, w: Symbol, x_zero: Symbol | None = None, w_zero: Symbol | None = None
) -> Symbol:
    return _sums(matmul, 1, reader, node, x, w, x_zero, w_zero)


def _sums(
    product: Callable[..., Symbol],
    axis: int,
    reader: Reader,
    node: onnx_ir.Node,
    x: Symbol,
    w: Symbol,
    x_zero: Symbol | None,
    w_zero: Symbol | None,
) -> Symbol:
    """The sums as the real product over the scale of x: whole weights, each worth 1 / scale."""
    zeros = None if w_zero is None else constant(w_zero, "zero point of the weights")
    if isinstance(x, DynamicCodes):
        if x_zero is not None and x_zero != DynamicZero(x.quantiser):
            raise ModelError("the zero point of the dynamic quantiser before expected, found another")
        made = product(reader, node, x.source, weights_of(whole(w), np.ones(()), zeros, axis))
        assert isinstance(made, Feature)
        return DynamicSum(made, x.quantiser)
    scale = x.grid.scale if isinstance(x, Codes) else np.ones(())
    if scale.size != 1:
        raise ModelError("one scale for all channels of the input expected, found several")
    source = values(reader, x, Constant(scale), _zero(x, x_zero))
    return product(reader, node, source, weights_of(whole(w), 1 / scale, zeros, axis))


def _zero(x: Symbol, zero: Symbol | None) -> Symbol | None:
    """A missing zero point is one zero, in the shape of the grid's."""
    return Constant(np.zeros_like(x.grid.zero_point)) if zero is None and isinstance(x, Codes) else zero
