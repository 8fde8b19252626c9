"""What feeds each population: the synapses between it and the populations it reads."""

from __future__ import annotations

from dataclasses import dataclass

from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Conv, Dense, Encoder, Input, Neuron, Readout
from onnx2snn.reference import tail_nodes


@dataclass(frozen=True)
class Segment:
    """The ops between one population or readout and what it reads, by node name.

    target: the population or readout.  sources: populations, encoders and inputs that it reads.
    nodes: the ops between, in topological order.  weights: the convolutions and dense layers among them that feed
    the target alone: what is tuned.  shared: those that feed others as well, and stay as they are.
    constant: no population is among the sources, so that the charge arrives evenly.
    """

    target: str
    sources: tuple[str, ...]
    nodes: tuple[str, ...]
    weights: tuple[str, ...]
    shared: tuple[str, ...]
    constant: bool


def segments(graph: Graph) -> tuple[Segment, ...]:
    """The segment of every population and readout, in topological order."""
    reached = _reached(graph)
    return tuple(_segment(graph, node.name, reached) for node in graph if isinstance(node.op, (Neuron, Readout)))


def _reached(graph: Graph) -> dict[str, set[str]]:
    """The populations and readouts that each node feeds without another population between."""
    found: dict[str, set[str]] = {node.name: set() for node in graph}
    tail = tail_nodes(graph)
    for node in reversed(list(graph)):
        ends = {node.name} if isinstance(node.op, (Neuron, Readout)) else found[node.name]
        for source in () if node.name in tail else node.inputs:
            found[source] |= ends
    return found


def _segment(graph: Graph, target: str, reached: dict[str, set[str]]) -> Segment:
    sources: set[str] = set()
    between: set[str] = set()
    waiting = list(graph[target].inputs)
    while waiting:
        node = graph[waiting.pop()]
        if isinstance(node.op, (Neuron, Encoder, Input)):
            sources.add(node.name)
        elif node.name not in between:
            between.add(node.name)
            waiting += node.inputs
    nodes = [node for node in graph if node.name in between]
    weighted = [node.name for node in nodes if isinstance(node.op, (Conv, Dense))]
    return Segment(
        target=target,
        sources=tuple(node.name for node in graph if node.name in sources),
        nodes=tuple(node.name for node in nodes),
        weights=tuple(name for name in weighted if reached[name] == {target}),
        shared=tuple(name for name in weighted if reached[name] != {target}),
        constant=not any(isinstance(graph[name].op, Neuron) for name in sources),
    )
