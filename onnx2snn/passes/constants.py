"""Constants on their way through linear ops, before pass collect-bias gathers them."""

from __future__ import annotations

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import (
    LINEAR,
    Affine,
    AveragePool,
    Concat,
    Conv,
    Dense,
    Dilate,
    MaxPool,
    Pad,
    Pool,
    Reshape,
    Transpose,
)
from onnx2snn.passes.weighted import one_a_channel


def varies_within_channels(graph: Graph, name: str) -> bool:
    """Whether a constant may reach node `name` that is not the same everywhere in a channel."""
    return _constant(graph, name)[1]


def _constant(graph: Graph, name: str) -> tuple[bool, bool]:
    """Whether a constant arrives with the node's value, and whether it may vary within a channel."""
    node = graph[name]
    if not isinstance(node.op, (*LINEAR, AveragePool, MaxPool)):
        return False, False
    arriving = [_constant(graph, source) for source in node.inputs]
    before = any(some for some, _ in arriving)
    some = before or _has_own(node.op)
    if len(graph.shape(name)) < 2:  # every entry is a channel of its own
        return some, False
    uneven = before and (_adds_zeros(node.op) or _mixes_channels(graph, node))
    return some, uneven or (some and _differs_within(graph, node)) or any(varies for _, varies in arriving)


def _has_own(op: Op) -> bool:
    constant = op.bias if isinstance(op, (Conv, Dense)) else op.shift if isinstance(op, Affine) else None
    return constant is not None and bool(constant.any())


def _adds_zeros(op: Op) -> bool:
    """Whether a constant is missing in places behind the op."""
    pads = isinstance(op, (Conv, Pool, Pad)) and not isinstance(op, MaxPool) and any(op.pads)
    return pads or (isinstance(op, Dilate) and max(op.strides) > 1)


def _mixes_channels(graph: Graph, node: Node) -> bool:
    """Whether a channel behind the op holds entries of several channels before it."""
    op = node.op
    if isinstance(op, Transpose):
        return op.perm[0] != 0
    if isinstance(op, Reshape):
        return op.shape[:1] != graph.shape(node.inputs[0])[:1]
    return isinstance(op, Concat) and op.axis != 0


def _differs_within(graph: Graph, node: Node) -> bool:
    """Whether the op has a bias, weights, a scale or a shift for each entry of a channel."""
    op, rank = node.op, len(graph.shape(node.name))
    if isinstance(op, Affine):
        return not all(one_a_channel(array, rank) for array in (op.scale, op.shift) if array is not None)
    return isinstance(op, Dense)  # its units lie along the last axis
