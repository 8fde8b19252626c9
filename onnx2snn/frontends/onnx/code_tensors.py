"""Which grid the integer tensors of a model lie on, so that they can be shown as real values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

#: ops that put out codes: at which inputs scale and zero point of their output stand
GRIDS = {
    "QuantizeLinear": (1, 2),
    "QLinearConv": (6, 7),
    "QLinearMatMul": (6, 7),
    "QLinearAdd": (6, 7),
    "QLinearMul": (6, 7),
    "QGemm": (7, 8),
    "QLinearAveragePool": (3, 4),
    "QLinearGlobalAveragePool": (3, 4),
    "QLinearLeakyRelu": (3, 4),
    "QLinearSigmoid": (3, 4),
    "QLinearSoftmax": (3, 4),
    "QLinearConcat": (0, 1),
}
RESHAPING = {"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
CHOOSING = {"Clip", "Concat", "Gather", "MaxPool", "Pad", "Resize", "Slice", "Split"}


def dequantised(graph: onnx.GraphProto, tensors: tuple[str, ...]) -> dict[str, str]:
    """Adds a DequantizeLinear behind each of `tensors` that holds codes; returns by tensor what shows its value."""
    from onnx import helper

    makers = {name: node for node in graph.node for name in node.output}
    shown = {name: name for name in tensors}
    for name in tensors:
        grid = _grid(makers, name)
        if grid:
            shown[name] = f"{name}.dequantised"
            axis = [a for a in makers[name].attribute if a.name == "axis" and makers[name].op_type == "QuantizeLinear"]
            node = helper.make_node("DequantizeLinear", [name, *grid], [shown[name]])
            node.attribute.extend(axis)
            graph.node.append(node)
    return shown


def _grid(makers: dict[str, onnx.NodeProto], tensor: str) -> list[str]:
    """Scale and zero point of the codes in `tensor`; nothing where it holds no codes."""
    node = makers.get(tensor)
    while node is not None and node.op_type in RESHAPING | CHOOSING and node.input:
        node = makers.get(node.input[0])
    if node is None or node.op_type not in GRIDS:
        return []
    return [node.input[i] for i in GRIDS[node.op_type] if i < len(node.input) and node.input[i]]
