"""What has to be known of a graph before it is said in NIR: what lies outside, and where biases go."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import Add, Conv, Dense, Encoder, Neuron, Readout


def before_the_encoder(graph: Graph) -> frozenset[str]:
    """Names of the nodes that only an encoder depends on: the sender's work, no part of the NIR graph."""
    outside: set[str] = set()
    for node in reversed(list(graph)):
        readers = graph.consumers(node.name)
        if readers and all(isinstance(reader.op, Encoder) or reader.name in outside for reader in readers):
            outside.add(node.name)
    return frozenset(outside)


def said(graph: Graph) -> tuple[Node, ...]:
    """The nodes that become a NIR graph, in topological order."""
    outside = before_the_encoder(graph)
    return tuple(node for node in graph if node.name not in outside)


def bias_homes(graph: Graph) -> dict[str, tuple[str, Array]]:
    """For every neuron or readout with a bias: the Conv or Dense that can carry it ("": none), and the bias."""
    homes: dict[str, tuple[str, Array]] = {}
    for node in graph.of(Neuron, Readout):
        bias = node.op.bias if isinstance(node.op, (Neuron, Readout)) else np.zeros(())
        if bias.any():
            homes[node.name] = (_carrier(graph, node), bias)
    return homes


def _carrier(graph: Graph, node: Node) -> str:
    """The weighted op whose output reaches `node` alone, through sums only."""
    reader, source = node, graph[node.inputs[0]]
    while isinstance(source.op, Add) and len(graph.consumers(source.name)) == 1:
        weighted = [graph[s] for s in source.inputs if isinstance(graph[s].op, (Conv, Dense))]
        reader, source = source, next(iter(weighted), graph[source.inputs[0]])
    alone = [consumer.name for consumer in graph.consumers(source.name)] == [reader.name]
    return source.name if alone and isinstance(source.op, (Conv, Dense)) else ""
