"""QDQ and QCDQ: QuantizeLinear, [Clip], DequantizeLinear, on features and on weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.codes import values
from onnx2snn.frontends.onnx.dynamic import real_of
from onnx2snn.frontends.onnx.grids import grid_of
from onnx2snn.frontends.onnx.operands import attribute, constant, feature
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.symbols import Codes, Constant, DynamicCodes, Symbol

if TYPE_CHECKING:
    import onnx_ir


@rule("QuantizeLinear")
def _quantize(reader: Reader, node: onnx_ir.Node, x: Symbol, scale: Symbol, zero_point: Symbol | None = None) -> Symbol:
    _refuse_blocks(node)
    source = x if isinstance(x, Constant) else feature(x)
    zeros = None if zero_point is None else constant(zero_point, "zero point")
    grid = grid_of(constant(scale, "scale"), zeros, attribute(node, "axis", 1), _declared_type(node))
    return Codes(source, grid, maker=node)


@rule("DequantizeLinear")
def _dequantize(
    reader: Reader, node: onnx_ir.Node, x: Symbol, scale: Symbol, zero_point: Symbol | None = None
) -> Symbol:
    _refuse_blocks(node)
    if isinstance(x, DynamicCodes):
        return real_of(reader, x, scale)
    return values(reader, x, scale, zero_point, attribute(node, "axis", 1), node)


def _refuse_blocks(node: onnx_ir.Node) -> None:
    if attribute(node, "block_size", 0):
        raise ModelError("blocked quantisation is not supported; per tensor or per channel expected")


def _declared_type(node: onnx_ir.Node) -> str:
    """The type of the codes where no zero point shows it: `output_dtype` (from opset 21 on), or uint8."""
    import onnx_ir

    return onnx_ir.DataType(attribute(node, "output_dtype", 0) or onnx_ir.DataType.UINT8).name
