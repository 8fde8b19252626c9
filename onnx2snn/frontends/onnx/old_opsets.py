"""Ops of old opsets in today's form: attributes that became inputs, ops that got another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx_ir

#: op: attributes that stand as inputs from some opset on, each with the place and type of that input
MOVED: dict[str, dict[str, tuple[int, type]]] = {
    "Slice": {"starts": (1, np.int64), "ends": (2, np.int64), "axes": (3, np.int64)},
    "Pad": {"pads": (1, np.int64), "value": (2, np.float32)},
    "Split": {"split": (1, np.int64)},
    "TopK": {"k": (1, np.int64)},
    "Upsample": {"scales": (1, np.float32)},
    "Dropout": {"ratio": (1, np.float32)},
}


def raise_opset(model: onnx_ir.Model) -> None:
    """Rewrites nodes in place; the rules then meet one form of each op.

    Upsample and the first Resize (opset 10) become a Resize that takes the pixel to the left: asymmetric, floor.
    """
    version = model.opset_imports.get("", 0)
    for node in model.graph:
        if node.domain:
            continue
        for name, (slot, kind) in MOVED.get(node.op_type, {}).items():
            _attribute_to_input(model.graph, node, name, slot, kind)
        if node.op_type == "Upsample" or (node.op_type == "Resize" and version < 11):
            _resize(node)


def _attribute_to_input(graph: onnx_ir.Graph, node: onnx_ir.Node, name: str, slot: int, kind: type) -> None:
    import onnx_ir

    attribute = node.attributes.pop(name, None)
    if attribute is None:
        return
    tensor = onnx_ir.tensor(np.asarray(attribute.value, kind))
    value = onnx_ir.Value(name=f"{node.outputs[0].name}.{name}", const_value=tensor)
    graph.register_initializer(value)
    node.resize_inputs(max(slot + 1, len(node.inputs)))
    node.replace_input_with(slot, value)


def _resize(node: onnx_ir.Node) -> None:
    """(x, scales) to (x, no region, scales)."""
    import onnx_ir

    scales = node.inputs[1]
    node.op_type = "Resize"
    node.resize_inputs(3)
    node.replace_input_with(1, None)
    node.replace_input_with(2, scales)
    for name, value in (("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")):
        node.attributes[name] = onnx_ir.AttrString(name, value)
