"""What stays real-valued behind the readout: computed once, when the network is done."""

from __future__ import annotations

from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Readout


def tail_nodes(graph: Graph) -> frozenset[str]:
    """Names of the nodes behind a readout."""
    tail: set[str] = set()
    for node in graph:
        if any(source in tail or isinstance(graph[source].op, Readout) for source in node.inputs):
            tail.add(node.name)
    return frozenset(tail)
