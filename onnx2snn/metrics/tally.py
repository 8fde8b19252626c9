"""Spikes and synaptic operations of a run, counted while it goes on."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import Input, Neuron
from onnx2snn.metrics.counters import Counters, add
from onnx2snn.metrics.fan_out import fan_out
from onnx2snn.reference import Run, apply, constant_nodes, feed


class Tally:
    """Counts, for every population, max pool and source of constant charge (a `Watch`).

    counters, by kind/name:
    spikes: at each tick, of either sign; of a max pool, entries that changed.  down: of negative sign.
    operations: synaptic operations at each tick, sum of |spikes| x fan-out.  readout: those at readouts.
    connected: those through weights that are not zero.
    active: multiplications of an ANN that skips zeros: MACs behind entries whose count is not zero.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.fans = fan_out(graph)
        self.constant = [name for name in constant_nodes(graph) if name in self.fans]
        self.pooled: dict[str, Array] = {}  # what max pools have sent so far
        self.counters: Counters = {}

    def begin(self, sample: int, x: Array) -> None:
        self.pooled = {}
        given = feed(self.graph, x)
        for name in sorted(self.constant):
            self._active(name, _value(self.graph, self.graph[name], given))

    def spikes(self, name: str, tick: int, train: Array) -> None:
        fan = self.fans[name]
        if isinstance(self.graph[name].op, Neuron):
            sizes = np.abs(train).sum(axis=1, dtype=np.int64)
            self._add("down", name, 0, np.atleast_1d((sizes.sum() - train.sum(dtype=np.int64)) // 2))
        else:
            sizes = np.count_nonzero(train, axis=1)
            self.pooled[name] = train.sum(axis=0) + self.pooled.get(name, 0)
        sizes = sizes.reshape(len(train), -1)
        self._add("spikes", name, tick, sizes.sum(axis=1))
        self._add("operations", name, tick, sizes @ fan.all.reshape(-1))
        total = sizes.sum(axis=0)
        self._add("readout", name, 0, np.atleast_1d(total @ fan.readout.reshape(-1)))
        self._add("connected", name, 0, np.atleast_1d(total @ fan.connected.reshape(-1)))

    def readout(self, name: str, tick: int, sums: Array) -> None:
        """Nothing: readouts do not fire."""

    def advanced(self, tick: int, stop: int) -> None:
        """Nothing."""

    def end(self, run: Run) -> None:
        for name, counts in (run.counts | self.pooled).items():
            self._active(name, counts)

    def _active(self, name: str, values: Array) -> None:
        active = np.count_nonzero(values, axis=0).reshape(-1)
        self._add("active", name, 0, np.atleast_1d(active @ self.fans[name].macs.reshape(-1)))

    def _add(self, kind: str, name: str, tick: int, values: Array) -> None:
        add(self.counters, f"{kind}/{name}", np.concatenate([np.zeros(tick, np.int64), values]) if tick else values)


def _value(graph: Graph, node: Node, given: dict[str, Array]) -> Array:
    if isinstance(node.op, Input):
        return given[node.name].astype(np.float64)
    return apply(node.op, *(_value(graph, graph[source], given) for source in node.inputs))
