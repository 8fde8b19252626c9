"""Fan-out by position: how many synapses each neuron's spike passes, and each input entry is multiplied in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array, Graph, Node, Op
from onnx2snn.ir.ops import Affine, Conv, Dense, Encoder, Input, MaxPool, Neuron, Readout
from onnx2snn.metrics.transposed import transposed
from onnx2snn.reference import constant_nodes, tail_nodes

SOURCES = (Input, Encoder, Neuron, MaxPool)
TARGETS = (Encoder, Neuron, MaxPool, Readout)  #: an encoder behind weights rounds an analog charge


def units(op: Op) -> int:
    """Binary units that one neuron stands for: hi - lo in a population that is unrolled in space, else one."""
    if isinstance(op, Neuron) and op.code == "ladder":
        low, high = op.range
        return 1 if high is None else high - low
    return 1


@dataclass(frozen=True)
class FanOut:
    """Paths behind each entry of a source, int64 (*features).

    spiking: synapses that end at neurons and max pools (of an input: at encoders); one for each unit of a neuron.
    readout: those that end at readouts.  connected: all of them whose weights are not zero.
    macs: multiplications by weights in an ANN with the same layers, where every neuron is one unit.
    hidden_macs: those of them that do not end at readouts.
    """

    spiking: Array
    readout: Array
    connected: Array
    macs: Array
    hidden_macs: Array

    @property
    def all(self) -> Array:
        """All synapses, whatever their weight."""
        return self.spiking + self.readout


def fan_out(graph: Graph) -> dict[str, FanOut]:
    """Fan-out of every population, of every max pool, and of what constant charge comes from that weights multiply.

    Where linear ops follow one another (a sum pool and a dense layer), paths are counted.
    """
    tail, constant = tail_nodes(graph), constant_nodes(graph)
    found = {
        node.name: {field: np.zeros(graph.shape(node.name), np.int64) for field in FanOut.__dataclass_fields__}
        for node in graph.of(*SOURCES)
        if node.name not in tail
    }
    for target in graph.of(*TARGETS):
        if target.name in tail:
            continue
        ends, many = isinstance(target.op, Readout), units(target.op)
        for name, paths in _backward(graph, target).items():
            found[name]["readout" if ends else "spiking"] += many * paths.all
            found[name]["connected"] += many * paths.connected
            found[name]["macs"] += paths.weighted
            found[name]["hidden_macs"] += paths.weighted * (not ends)
    made = {name: FanOut(**arrays) for name, arrays in found.items()}
    return {name: fan for name, fan in made.items() if name not in constant or fan.macs.any()}


@dataclass
class _Paths:
    """Whole numbers (*features): all paths, those along weights that are not zero, those with a weight on them."""

    all: Array
    connected: Array
    weighted: Array

    def __add__(self, other: _Paths) -> _Paths:
        return _Paths(self.all + other.all, self.connected + other.connected, self.weighted + other.weighted)

    def whole(self) -> _Paths:
        return _Paths(*(np.rint(a).astype(np.int64) for a in (self.all, self.connected, self.weighted)))


def _backward(graph: Graph, target: Node) -> dict[str, _Paths]:
    """Paths from each source to the entries of a target, by name of the source."""
    (start,) = target.inputs
    ones = np.ones(graph.shape(start))
    waiting: dict[str, _Paths] = {start: _Paths(ones, ones, np.zeros_like(ones))}
    found: dict[str, _Paths] = {}
    for node in reversed(list(graph)):
        paths = waiting.pop(node.name, None)
        if paths is None:
            continue
        if isinstance(node.op, SOURCES):
            found[node.name] = paths.whole()
            continue
        for source, more in zip(node.inputs, _through(graph, node, paths), strict=True):
            waiting[source] = waiting[source] + more if source in waiting else more
    return found


def _through(graph: Graph, node: Node, paths: _Paths) -> list[_Paths]:
    op, shapes = node.op, [graph.shape(source) for source in node.inputs]
    total = transposed(op, paths.all, shapes, False)
    weighted = isinstance(op, (Conv, Dense)) or (isinstance(op, Affine) and op.scale is not None)
    marked = total if weighted else transposed(op, paths.weighted, shapes, False)
    linked = transposed(op, paths.connected, shapes, True)
    return [_Paths(*arrays) for arrays in zip(total, linked, marked, strict=True)]
