"""Where the spiking network ends: readouts, and a real-valued tail behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnx2snn.errors import PassError
from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import LINEAR, Add, Conv, Dense, Encoder, Input, MaxPool, Quantise, Readout, Staircase
from onnx2snn.passes.base import Pass
from onnx2snn.passes.hints import HINTS
from onnx2snn.reference import tail_nodes

SPIKING: tuple[type[Op], ...] = (Input, Staircase, Encoder, MaxPool, *LINEAR)  #: what has a spiking form


@final
@dataclass(frozen=True)
class AddReadouts(Pass):
    """Puts a readout at every output, and in front of what has no spiking form (softmax, sigmoid heads, box decoding).

    given:   a graph of staircases and linear ops, and others behind them
    result:  Readout at each end of the spiking part. What stands behind a readout is the analog tail: it stays in
             real arithmetic, and a staircase in it becomes a quantiser again. A tail with weights of its own is
             refused: that would be half of the network. A sum that nothing spiking reads is done behind the readouts
             of its branches, whose scales need not agree then.
    """

    name: ClassVar[str] = "add-readouts"

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        tail = _tail(graph)
        _refuse_weights(graph, tail)
        sources = [source for node in graph if node.name in tail for source in node.inputs if source not in tail]
        ends = [name for name in graph.outputs if name not in tail]
        places = [name for name in dict.fromkeys([*sources, *ends]) if not isinstance(graph[name].op, Readout)]
        readouts = {name: _readout(graph, graph[name]) for name in places}
        for node in [node for node in graph if node.name in tail]:
            op = _quantiser(node.op) if isinstance(node.op, Staircase) else node.op
            graph.replace(node.name, op, [readouts.get(source, source) for source in node.inputs])
        graph.outputs = tuple(readouts.get(name, name) for name in graph.outputs)
        return graph


def _tail(graph: Graph) -> frozenset[str]:
    """Nodes that have no spiking form, and what depends on them."""
    tail = set(tail_nodes(graph))
    for node in graph:
        if not isinstance(node.op, (*SPIKING, Readout)) or any(source in tail for source in node.inputs):
            tail.add(node.name)
    for node in reversed(list(graph)):
        if isinstance(node.op, Add) and all(reader.name in tail for reader in graph.consumers(node.name)):
            tail.add(node.name)
    return frozenset(tail)


def _refuse_weights(graph: Graph, tail: frozenset[str]) -> None:
    """Every op without a spiking form that weights still follow is named."""
    weighted = [node for node in graph.of(Conv, Dense) if node.name in tail]
    if not weighted:
        return
    before: set[str] = set()
    for node in reversed(list(graph)):
        if node in weighted or any(reader.name in before for reader in graph.consumers(node.name)):
            before.add(node.name)
    guilty = [node for node in graph if node.name in before and not isinstance(node.op, (*SPIKING, Readout))]
    otherwise = "has no spiking form, and weights follow it"
    raise PassError("", [f"{node}: {HINTS.get(type(node.op), otherwise)}" for node in guilty])


def _readout(graph: Graph, node: Node) -> str:
    unit = Readout(scale=np.ones(()), bias=np.zeros(()))
    return graph.add(graph.fresh("readout"), unit, [node.name], node.origin)


def _quantiser(op: Staircase) -> Quantise:
    return Quantise(scale=op.scale, zero_point=0, qmin=op.lo, qmax=op.hi, rounding=op.rounding)
