"""Following accumulators: does a spiking graph compute the very numbers that the trained graph's lattice has?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from onnx2snn.analysis.lattice import TAIL, Lattice, NoLattice, Places
from onnx2snn.ir import Array, Graph, Node, Op, same
from onnx2snn.ir.ops import Add, Affine, Conv, Dense, Encoder, Input, MaxPool, Neuron, Readout
from onnx2snn.reference import tail_nodes


@dataclass(frozen=True)
class Link:
    """What one node of the spiking graph is in terms of the trained graph.

    at: the trained node whose accumulator it computes (up to its multiplier).
    broken: why that is not known, in words.  analog: because a real-valued input reaches it.
    multiplier: what the accumulator is multiplied by.  constant: no neuron lies between it and the input.
    pair, multipliers: two trained nodes where it sums two branches with unequal scales.
    """

    at: str = ""
    broken: str = ""
    analog: bool = False
    constant: bool = False
    multiplier: Array = field(default_factory=lambda: np.ones((), np.int64))
    pair: tuple[str, ...] = ()
    multipliers: tuple[Array, ...] = ()


class Follower:
    """Walks a spiking graph beside the graph of staircases it was made from; nodes match by name."""

    def __init__(self, reference: Graph, network: Graph, places: Places) -> None:
        self.reference, self.network, self.places = reference, network, places
        self.tail = tail_nodes(network)
        self.found: dict[str, Link] = {}

    def links(self) -> dict[str, Link]:
        """The link of every node of the spiking graph."""
        for node in self.network:
            link = self._link(node)
            quiet = all(self.found[source].constant for source in node.inputs)
            self.found[node.name] = replace(link, constant=quiet and not isinstance(node.op, Neuron))
        return self.found

    def _link(self, node: Node) -> Link:
        op = node.op
        if isinstance(op, Input):
            return Link(broken="the input is real-valued: the first synapse stays analog", analog=True)
        if isinstance(op, Neuron):
            return Link(at=node.name)
        twin = self.reference.get(node.name)
        if isinstance(op, Encoder):
            return self._encoder(node, op, twin)
        if node.name in self.tail:
            return Link(broken=TAIL, analog=True)
        arriving = [self.found[source] for source in node.inputs]
        broken = next((link for link in arriving if link.broken), None)
        if broken is not None:
            return Link(broken=broken.broken, analog=broken.analog)
        if isinstance(op, Readout):
            return self._readout(arriving[0], twin)
        if isinstance(op, Affine):
            return self._affine(node, op, arriving[0], twin)
        if twin is None:
            return Link(broken=f"the model has no {op.name} of this name")
        if isinstance(op, Add) and any(link.multiplier.size != 1 or link.multiplier != 1 for link in arriving):
            return self._scaled_sum(twin, arriving)
        if isinstance(op, MaxPool) and arriving[0].pair:
            return self._pooled_sum(op, arriving[0], twin)
        if any(link.pair or not _one(link.multiplier) for link in arriving):
            return Link(broken="branches with unequal scales were rounded onto one grid")
        if not _same_weights(op, twin.op):
            return Link(broken="its weights are not the model's own: rounded or changed")
        if [link.at for link in arriving] != [self._at(source) for source in twin.inputs]:
            return Link(broken="it reads other values than in the model")
        if not isinstance(self.places[node.name], Lattice):
            place = self.places[node.name]
            return Link(
                broken=place.reason if isinstance(place, NoLattice) else "",
                analog=isinstance(place, NoLattice) and place.analog,
            )
        return Link(at=self._at(node.name))

    def _at(self, name: str) -> str:
        """The node whose accumulator a trained node has: scaling and shifting leave it as it is."""
        place = self.places[name]
        return place.at if isinstance(place, Lattice) else ""

    def _encoder(self, node: Node, op: Encoder, twin: Node | None) -> Link:
        arriving = self.found[node.inputs[0]]
        if twin is None or not isinstance(twin.op, Encoder):
            return Link(broken=arriving.broken or "the model has no encoder of this name", analog=arriving.analog)
        unit = replace(op, value=twin.op.value)
        if not same(unit, twin.op):
            return Link(broken="its scale or range is not the model's")
        return Link(at=node.name)

    def _readout(self, source: Link, twin: Node | None) -> Link:
        if twin is None or not isinstance(twin.op, Readout):
            return Link(broken="the model has no readout of this name")
        if source.pair or not _one(source.multiplier) or source.at != self._at(twin.inputs[0]):
            return Link(broken="it reads other values than in the model")
        return Link(at=source.at)

    def _affine(self, node: Node, op: Affine, source: Link, twin: Node | None) -> Link:
        if (
            op.scale is None
            or op.shift is not None
            or op.scale.dtype.kind != "i"
            or source.pair
            or not _one(source.multiplier)
        ):
            return Link(broken="an affine op that is not a whole multiplier")
        if twin is not None and isinstance(twin.op, Affine) and twin.op.scale is not None:
            signs = np.broadcast_to(np.sign(twin.op.scale), np.broadcast_shapes(twin.op.scale.shape, op.scale.shape))
            if (signs == op.scale).all() and source.at == self._at(twin.inputs[0]):
                return Link(at=self._at(node.name))
            return Link(broken="its sign is not the model's")
        return Link(at=source.at, multiplier=op.scale)

    def _pooled_sum(self, op: MaxPool, source: Link, twin: Node) -> Link:
        """The maximum of sums of two branches: it commutes with every monotone table."""
        if not same(op, twin.op) or [source.at] != list(twin.inputs):
            return Link(broken="it pools other values than in the model")
        return replace(source, at=twin.name)

    def _scaled_sum(self, twin: Node, arriving: list[Link]) -> Link:
        if len(arriving) != 2 or any(link.pair for link in arriving):
            return Link(broken="more than two branches with unequal scales")
        if [link.at for link in arriving] != [self._at(source) for source in twin.inputs]:
            return Link(broken="it adds other values than in the model")
        if any((link.multiplier < 1).any() for link in arriving):
            return Link(broken="a branch has a multiplier below one")
        return Link(at=twin.name, pair=tuple(twin.inputs), multipliers=tuple(link.multiplier for link in arriving))


def _one(multiplier: Array) -> bool:
    return bool((multiplier == 1).all())


def _same_weights(op: Op, twin: Op) -> bool:
    """Whether the op is the trained one; scales of weights live in the thresholds."""
    if isinstance(op, (Conv, Dense)) and isinstance(twin, (Conv, Dense)):
        return type(op) is type(twin) and op.scale is None and same(op, replace(twin, scale=None))
    return same(op, twin)
