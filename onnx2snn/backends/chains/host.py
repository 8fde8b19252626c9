"""What the host does for each sample: everything before the first population, written into its biases.

The accumulator of the first population is the same at every tick, so its charge X = 2^shift a + bias arrives as
q = X / steps, cut toward zero, at every tick, and the rest X - steps q joins the initial membrane: the very charge
of the network's definition (`onnx2snn.reference.drive`).
A neuron with 0 <= v0 < theta never fires for X <= 0 and always fires for X >= steps theta, leaky or not. X is cut to
these ends, which changes no spike and keeps both q and the membrane within about one threshold. Where a synaptic
current settles at q, theta / (1 - what it keeps) takes the place of theta: its first tick brings one threshold then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.backends.chains.layers import Population
from onnx2snn.backends.chains.tables import Arrays, Record
from onnx2snn.ir import Array, Graph, parse_graph, print_graph
from onnx2snn.ir.ops import Input
from onnx2snn.ir.text import external_arrays
from onnx2snn.reference import cut, evaluate


class HostRecord(Record):
    """The host part of a tables file.

    graph: the ops before the first population in the text form of the IR; its arrays are `host.graph/...`.
    shift: the accumulator is multiplied by 2^shift.  Arrays `host.bias` (added then) and `host.most` (the charge is
    cut to 0 ... host.most), int64, one a neuron, in units of the first population's grid.
    """

    graph: str
    shift: int


@dataclass(frozen=True)
class Drive:
    """Host part and charge of a first population; bias, most, v0: int64 (neurons,)."""

    graph: Graph
    shift: int
    bias: Array
    most: Array

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.graph.shape(self.graph.of(Input)[0].name)

    def charge(self, x: Array) -> Array:
        """Total charge of each neuron, int64 (batch, neurons), for samples `x` (batch, *input shape)."""
        total = evaluate(self.graph, x)[self.graph.outputs[0]].reshape(len(x), -1).astype(np.int64)
        return np.clip((total << self.shift) + self.bias, 0, self.most)

    def split(self, x: Array, steps: int) -> tuple[Array, Array]:
        """The charge as (what comes at each of `steps` ticks, what the initial membrane gets on top)."""
        charge = self.charge(x)
        share = cut(charge, steps)
        return share, charge - steps * share


def drive_of(graph: Graph, first: Population, steps: int) -> Drive:
    """The drive of a chain's first population."""
    return Drive(graph, first.shift, first.bias, steps * first.most_charge)


def store_host(graph: Graph, first: Population, steps: int) -> tuple[HostRecord, dict[str, Array]]:
    """The host part as record and arrays."""
    drive = drive_of(graph, first, steps)
    arrays = {f"host.graph/{name}": array for name, array in external_arrays(graph).items()}
    arrays |= {"host.bias": drive.bias, "host.most": drive.most}
    return HostRecord(graph=print_graph(graph), shift=first.shift), arrays


def load_host(record: HostRecord, arrays: Arrays, neurons: int) -> Drive:
    """What `store_host` stored; raises `ArtifactError` or `GraphError` where it is damaged."""
    graph = parse_graph(record.graph, arrays.under("host.graph/"))
    return Drive(graph, record.shift, arrays.take("host.bias", (neurons,)), arrays.take("host.most", (neurons,)))
