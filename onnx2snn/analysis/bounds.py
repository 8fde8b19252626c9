"""Between which numbers a value lies, where a quantiser or a Clip before it says so."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import MOVES, Add, Affine, AveragePool, Clip, MaxPool, Quantise, Relu, Staircase
from onnx2snn.reference import apply


def bounds(graph: Graph, node: Node) -> tuple[float, float] | None:
    """Least and greatest value of a node behind a Clip or quantiser, past what moves, averages, scales, cuts or adds.

    None where they are not known. Averaging and pooling may read padding, so their range holds zero.
    """
    op = node.op
    if isinstance(op, Clip):
        return (op.low, op.high) if np.isfinite([op.low, op.high]).all() else None
    if isinstance(op, Quantise):
        return _ends(op.scale, op.qmin - op.zero_point, op.qmax - op.zero_point)
    if isinstance(op, Staircase):
        return _ends(op.scale, op.lo, op.hi)
    if not isinstance(op, (AveragePool, MaxPool, Add, Affine, Relu, *MOVES)):
        return None
    found = [bounds(graph, graph[source]) for source in node.inputs]
    known = [ends for ends in found if ends is not None]
    if len(known) < len(found):
        return None
    if isinstance(op, (Affine, Relu)):
        reached = apply(op, np.multiply.outer(known[0], np.ones((1,) * len(graph.shape(node.name)))))
        return float(reached.min()), float(reached.max())
    low, high = sum(ends[0] for ends in known), sum(ends[1] for ends in known)
    return (low, high) if isinstance(op, Add) else (min(low, 0.0), max(high, 0.0))


def _ends(scale: Array, low: int, high: int) -> tuple[float, float]:
    """Of counts `low` to `high` of any of these scales."""
    ends = np.multiply.outer([scale.min(), scale.max()], [low, high])
    return float(ends.min()), float(ends.max())
