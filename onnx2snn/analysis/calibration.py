"""Facts about real-valued activations, gathered on data."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Clip, Relu
from onnx2snn.reference import evaluate


def maxima(graph: Graph, batches: Iterable[Array]) -> dict[str, float]:
    """The largest output of every Relu and Clip over all batches, by node name."""
    names = [node.name for node in graph.of(Relu, Clip)]
    largest = dict.fromkeys(names, 0.0)
    for batch in batches:
        values = evaluate(graph, batch)
        for name in names:
            largest[name] = max(largest[name], float(np.max(values[name])))
    return largest
