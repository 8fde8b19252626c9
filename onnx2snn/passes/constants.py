"""Constants on their way through linear ops, before pass collect-bias gathers them."""

from __future__ import annotations

from onnx2snn.ir import Graph, Op
from onnx2snn.ir.ops import LINEAR, Affine, AveragePool, Conv, Dense, MaxPool, Pad, Pool
from onnx2snn.passes.weighted import one_a_channel


def varies_within_channels(graph: Graph, name: str) -> bool:
    """Whether a constant may reach node `name` that is not the same everywhere in a channel.

    Zero padding makes one of a constant that is: it is missing at the border.
    """
    return _constant(graph, name)[1]


def _constant(graph: Graph, name: str) -> tuple[bool, bool]:
    """Whether a constant arrives with the node's value, and whether it may vary within a channel."""
    node = graph[name]
    if not isinstance(node.op, (*LINEAR, AveragePool, MaxPool)):
        return False, False
    arriving = [_constant(graph, source) for source in node.inputs]
    some, uneven = any(c for c, _ in arriving), any(u for _, u in arriving)
    if some and _pads_with_zeros(node.op):
        uneven = True
    return some or _own(node.op), uneven or _own_varies(node.op, len(graph.shape(name)))


def _pads_with_zeros(op: Op) -> bool:
    return isinstance(op, (Conv, Pool, Pad)) and not isinstance(op, MaxPool) and any(op.pads)


def _own(op: Op) -> bool:
    constant = op.bias if isinstance(op, (Conv, Dense)) else op.shift if isinstance(op, Affine) else None
    return constant is not None and bool(constant.any())


def _own_varies(op: Op, rank: int) -> bool:
    return isinstance(op, Affine) and op.shift is not None and not one_a_channel(op.shift, rank)
