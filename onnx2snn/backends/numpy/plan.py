"""What a graph and its schedule say about every run: what moves, in which numbers, and what memory a tick takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np

from onnx2snn.analysis.widths import is_integer, narrowest, widths
from onnx2snn.backends.numpy.populations import train_kind
from onnx2snn.errors import BackendError
from onnx2snn.ir import Graph, Node
from onnx2snn.ir.ops import IF, Conv, Neuron, Readout
from onnx2snn.reference import constant_nodes, settle_bound, tail_nodes

FLOAT64, INT64 = np.dtype(np.float64), np.dtype(np.int64)
WIDER = {np.dtype(np.float32): FLOAT64, FLOAT64: INT64}  #: by 2^29, by 2^9: no run has as many ticks as the first
LIKELY_SETTLE = 8  #: settle steps that a run usually takes: it ends long before its bound


@dataclass(frozen=True)
class Block:
    """Ticks from `first` on, up to `stop`, which is none of them."""

    first: int
    stop: int

    @property
    def ticks(self) -> int:
        return self.stop - self.first


class Plan:
    """Runs of `steps` inject steps and `settle` more; None: until every population is silent.

    calibrate: steps of a run before it that finds initial membranes (code `if` alone).
    most: ticks of a run at most.  likely: those that it takes as a rule.  kinds: the number that each node computes in.
    neurons: how many a sample has.
    still: nodes whose output is constant charge, in order.  moving: those with a value a tick, in order, and readouts.
    spent: what no node reads any more once one is done.  phases: the ticks between the openings of populations, in
    which those that are not open yet, or silent already, cost nothing.
    lossy: spikes may be lost on the way, so that sums may leave the range of the counts: wider numbers hold them.
    """

    def __init__(self, graph: Graph, steps: int, settle: int | None, calibrate: int, lossy: bool = False) -> None:
        self.graph, self.steps, self.settle, self.calibrate = graph, steps, settle, calibrate
        self.most = steps + (settle_bound(graph, steps) if settle is None else settle)
        opens = {node.op.silent_until for node in graph.of(Neuron) if isinstance(node.op, Neuron)}
        cuts = sorted({0, self.most, *(tick for tick in opens if tick < self.most)})
        self.phases = [Block(first, stop) for first, stop in pairwise(cuts)]
        longest = max(phase.ticks for phase in self.phases)
        likely = min(self.most, steps + LIKELY_SETTLE) if settle is None else self.most
        self.likely = max(likely if len(self.phases) == 1 else longest, calibrate)
        self.neurons = sum(self._entries(node.name) for node in graph.of(Neuron))
        self.integer = is_integer(graph)
        bits = widths(graph, self.most)
        self.kinds = {node.name: _kind(node, bits[node.name]) for node in graph}
        if lossy:
            self.kinds = {name: WIDER.get(kind, kind) if bits[name] else kind for name, kind in self.kinds.items()}
        if calibrate:
            self._check_calibration()
        constant, self.tail = constant_nodes(graph), tail_nodes(graph)
        walked = [node for node in graph if node.name not in self.tail]
        self.still = [n for n in walked if n.name in constant and not isinstance(n.op, Readout)]
        self.moving = [n for n in walked if n.name not in constant]
        last_use = {source: node.name for node in self.moving for source in node.inputs}
        self.spent = {node.name: {s for s in node.inputs if last_use[s] == node.name} for node in self.moving}

    def blocks(self, ticks: int) -> Iterator[Block]:
        """The run in blocks of at most so many ticks."""
        for phase in self.phases:
            for first in range(phase.first, phase.stop, ticks):
                yield Block(first, min(first + ticks, phase.stop))

    def _check_calibration(self) -> None:
        """Only unsigned neurons have offset spikes to calibrate; membranes that move are kept in int64."""
        others = [node for node in self.graph.of(Neuron) if not isinstance(node.op, IF)]
        if others:
            raise BackendError(
                f"{others[0]}: calibration of initial membranes takes code if, found {others[0].op.name}"
            )
        if self.integer:
            self.kinds |= {node.name: INT64 for node in self.graph.of(Neuron)}

    def tick_bytes(self) -> int:
        """The most bytes that one tick of one sample takes at any place: signals still to be read, and work on them."""
        live: dict[str, int] = {}
        most = 1
        for node in self.moving:
            most = max(most, sum(live.values()) + self._work_bytes(node))
            live[node.name] = self._entries(node.name) * self._signal_kind(node).itemsize
            for source in self.spent[node.name]:
                live.pop(source, None)
        return most

    def _entries(self, name: str) -> int:
        return prod(self.graph.shape(name))

    def _signal_kind(self, node: Node) -> np.dtype[np.generic]:
        return train_kind(node.op) if isinstance(node.op, Neuron) and self.integer else self.kinds[node.name]

    def _work_bytes(self, node: Node) -> int:
        """Inputs in the number that is computed in and padded, windows as columns, the result twice."""
        if isinstance(node.op, Neuron):
            return 2 * self._entries(node.name) * self._signal_kind(node).itemsize
        entries = 2 * sum(self._entries(source) for source in node.inputs) + 2 * self._entries(node.name)
        if isinstance(node.op, Conv):
            (channels, *_), (_, *size) = self.graph.shape(node.inputs[0]), self.graph.shape(node.name)
            entries += channels * prod(node.op.kernel) * prod(size)
        return entries * self.kinds[node.name].itemsize


def _kind(node: Node, bits: int) -> np.dtype[np.generic]:
    if bits == 0:
        return FLOAT64
    number = narrowest(bits)
    if number is None:
        raise BackendError(f"{node}: whole numbers of {bits} bits do not fit 64; use --float")
    return np.dtype(number)
