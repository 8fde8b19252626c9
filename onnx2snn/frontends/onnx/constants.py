"""Nodes whose inputs are all known: computed while reading (what shape arithmetic on a fixed shape leaves over)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.symbols import Constant, Symbol

if TYPE_CHECKING:
    import onnx_ir

STANDARD = ("", "ai.onnx")
#: These say something about numbers that become weights; their own rules read them.
KEPT = ("QuantizeLinear", "DequantizeLinear", "Constant")


def computable(node: onnx_ir.Node, inputs: list[Symbol | None]) -> bool:
    """Whether a node depends on constants alone and may be computed."""
    known = all(symbol is None or isinstance(symbol, Constant) for symbol in inputs)
    return known and bool(inputs) and node.domain in STANDARD and node.op_type not in KEPT


def computed(node: onnx_ir.Node, inputs: list[Symbol | None], opset: int) -> tuple[Constant, ...]:
    """What ONNX's reference implementation makes of it."""
    import onnx_ir
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    feeds = {
        str(value.name): symbol.array
        for value, symbol in zip(node.inputs, inputs, strict=True)
        if value is not None and isinstance(symbol, Constant)
    }
    given = [helper.make_tensor_value_info(name, 0, None) for name in feeds]
    wanted = [helper.make_tensor_value_info(str(value.name), 0, None) for value in node.outputs]
    graph = helper.make_graph([onnx_ir.serde.serialize_node(node)], "constants", given, wanted)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        results = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:
        raise ModelError(f"its constant inputs cannot be computed: {error}") from error
    return tuple(Constant(np.asarray(result)) for result in results)
