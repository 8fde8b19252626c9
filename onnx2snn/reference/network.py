"""A trained network evaluated op by op."""

from __future__ import annotations

import numpy as np

from onnx2snn.errors import located
from onnx2snn.ir import Graph
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Input
from onnx2snn.reference.feeding import feed
from onnx2snn.reference.functions import apply


def evaluate(graph: Graph, x: Array) -> dict[str, Array]:
    """The value of every node of a graph without neurons, by name, for a batch `x` (see `reference.feeding`)."""
    values: dict[str, Array] = {name: array.astype(np.float64) for name, array in feed(graph, x).items()}
    for node in graph:
        with located(node):
            if not isinstance(node.op, Input):
                values[node.name] = apply(node.op, *(values[source] for source in node.inputs))
    return values
