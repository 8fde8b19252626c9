"""Dynamic quantisation: scales worked out from each batch as it runs.

No threshold can stand for such a quantiser, so it is left out: what remains is the real-valued network with the file's
whole weights. x -> DynamicQuantizeLinear -> codes; codes * w = integer sums; sums * (scale of x * scale of w) = x * w.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.operands import constant, feature
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.symbols import (
    Constant,
    DynamicCodes,
    DynamicScale,
    DynamicSum,
    DynamicZero,
    Feature,
    Symbol,
)
from onnx2snn.ir.ops import Affine

if TYPE_CHECKING:
    import onnx_ir

LEFT_OUT = "its scale depends on the data: left out, so that the activation stays real-valued until calibrated"


@rule("DynamicQuantizeLinear")
def _dynamic_quantize(reader: Reader, node: onnx_ir.Node, x: Symbol) -> tuple[Symbol, ...]:
    source, key = feature(x), node.outputs[0].name or ""
    reader.note(LEFT_OUT)
    return DynamicCodes(source, key), DynamicScale(key, np.ones(())), DynamicZero(key)


def real_of(reader: Reader, x: DynamicCodes | DynamicSum, scale: Symbol | None) -> Feature:
    """Codes or sums of codes, multiplied by the scale that belongs to them."""
    if not isinstance(scale, DynamicScale) or scale.quantiser != x.quantiser:
        raise ModelError("the scale of the dynamic quantiser before expected, found another")
    if (scale.factor == 1).all():
        return x.source
    return reader.add(Affine(scale=scale.factor.reshape(-1)[0] if scale.factor.size == 1 else scale.factor), x.source)


def dynamic_product(reader: Reader, a: Symbol, b: Symbol) -> Symbol | None:
    """A product with a scale worked out from the data; None where neither factor is one."""
    if isinstance(a, DynamicScale):
        a, b = b, a
    if not isinstance(b, DynamicScale):
        return None
    if isinstance(a, (DynamicCodes, DynamicSum)):
        return real_of(reader, a, b)
    if isinstance(a, Constant):
        return DynamicScale(b.quantiser, b.factor * constant(a, "scale").astype(np.float64))
    raise ModelError("a scale worked out from the data multiplies something that was not quantised by it")
