"""The whole charge that reaches every population when it is known what each sends: no time passes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnx2snn.backends.numpy.kernels import KERNELS, linear
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Input, Neuron, Readout, Staircase
from onnx2snn.reference import apply, exact, feed, tail_nodes

FLOAT64 = np.dtype(np.float64)


def charges(
    graph: Graph, x: Array, sent: Mapping[str, Array], kinds: Mapping[str, np.dtype[np.generic]] | None = None
) -> dict[str, Array]:
    """What reaches every staircase or neuron of a graph for samples `x` (see `reference.feeding`), (batch, *features).

    sent: counts of each of them, (batch, *features), whatever reaches it.  kinds: the number that each node computes
    in; float64 by default. Of a neuron: its charge, shift, bias and v0 included. Running maxima of sums come to the
    maximum of whole sums, so that the order of arrival makes no difference.
    """
    skipped = tail_nodes(graph) | {node.name for node in graph.of(Readout)}
    nodes = [node for node in graph if node.name not in skipped]
    last_use = {source: node.name for node in nodes for source in node.inputs}
    values: dict[str, Array] = {name: array.astype(np.float64) for name, array in feed(graph, x).items()}
    arriving: dict[str, Array] = {}
    for node in nodes:
        op = node.op
        inputs = [values[source] for source in node.inputs]
        if isinstance(op, Neuron):
            total = inputs[0].astype(np.int64) if op.integer else inputs[0]
            arriving[node.name] = total * (1 << op.shift) + exact(op.bias) + exact(op.v0)
            values[node.name] = exact(op.value) * sent[node.name]
        elif isinstance(op, Staircase):
            arriving[node.name] = inputs[0]
            values[node.name] = op.scale * sent[node.name]
        elif not isinstance(op, Input):
            kind = FLOAT64 if kinds is None else kinds[node.name]
            values[node.name] = linear(op, kind, *inputs) if type(op) in KERNELS else apply(op, *inputs)
        for source in set(node.inputs):
            if last_use[source] == node.name:
                del values[source]
    return arriving
