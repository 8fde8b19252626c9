"""How constant charge reaches a neuron: in equal parts over the inject steps, and never while settling."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Graph, Op
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Affine, Conv, Dense, Input, Neuron


def part(total: Array, step: int, steps: int) -> Array:
    """The share of `total` that arrives at `step` (0-based) of `steps` inject steps; zero afterwards.

    Real: total / steps. Integer: the whole number total / steps cut toward zero, and what that leaves over
    at the first step, so that the shares add up to `total` exactly and none has the other sign.
    """
    if step >= steps:
        return np.zeros_like(total)
    if total.dtype.kind == "f":
        return total / steps
    share = cut(total, steps)
    return share if step else total - share * (steps - 1)


def cut(total: Array, steps: int) -> Array:
    """Integer division by `steps`, toward zero."""
    return np.sign(total) * (np.abs(total) // steps)


def carries_constant(op: Op) -> bool:
    """Whether a linear op adds a constant of its own: where it stands between neurons, in every tick."""
    if isinstance(op, (Conv, Dense)):
        return op.bias is not None
    return isinstance(op, Affine) and op.shift is not None


def constant_nodes(graph: Graph) -> frozenset[str]:
    """Names of the nodes whose output is a constant current: no neuron lies between them and the input."""
    constant: set[str] = set()
    for node in graph:
        quiet = not isinstance(node.op, Neuron) and all(source in constant for source in node.inputs)
        if isinstance(node.op, Input) or quiet:
            constant.add(node.name)
    return frozenset(constant)
