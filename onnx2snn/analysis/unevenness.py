"""How far a neuron's count can be from the one its whole charge says, whatever the order of arrival.

docs/certificate.md has the derivation. In short, for a neuron of threshold theta that starts in [0, theta) and takes at
most x_max and at least -x_min in any tick, P and M in all of them: a membrane ends above the threshold only after a run
of ticks that all fired, so that it is behind by at most ceil(B / theta) spikes, B = max over m >= 1 of
min(m x_max, P) - m theta; with negative spikes it is ahead by at most the same of -x. Without them it is ahead by what
can be taken away behind its last spike, ceil(M / theta).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from onnx2snn.analysis.lattice import Lattice, Place, lattices
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import IF, LIF, STBIF, Encoder, MaxPool, Neuron, SignedIF, StoreAndForward
from onnx2snn.reference import constant_nodes, part

UNKNOWN = 1 << 60  #: stands for no bound on what a tick may bring


@dataclass(frozen=True)
class Arrival:
    """What reaches a neuron, given exact counts before it, in units of its membrane; all broadcast to the features.

    up, down: most charge of either sign that a tick brings.  more, less: that all ticks bring.
    low, high: least and greatest whole charge, v0 included.
    """

    up: Array
    down: Array
    more: Array
    less: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Spread:
    """Spikes too many and too few that a population can end with, beside its own resting count; broadcast to it."""

    ahead: Array
    behind: Array

    @property
    def worst(self) -> int:
        """The larger of them, over all neurons."""
        return int(max(self.ahead.max(), self.behind.max()))


class Arrivals:
    """What reaches every population of an integer network in a run of `steps` inject steps and `ticks` ticks.

    counts: least and greatest count that each population is to have; what the ones before it have is taken as exact.
    """

    def __init__(self, graph: Graph, steps: int, ticks: int, counts: Mapping[str, tuple[int, int]]) -> None:
        self.graph, self.steps, self.ticks, self.counts = graph, steps, ticks, counts
        self.constant = constant_nodes(graph)

    @cached_property
    def _in_a_tick(self) -> dict[str, Place]:
        silent = {node.name: (0, 0) for node in self.graph.of(Encoder)}
        return lattices(self.graph, ranges=silent | {n: _spikes(op) for n, op in self._populations()})

    @cached_property
    def _in_all(self) -> dict[str, Place]:
        return lattices(self.graph, ranges={n: self._trains(n, op) for n, op in self._populations()})

    @cached_property
    def _whole(self) -> dict[str, Place]:
        return lattices(self.graph, ranges={n: self._count(n, op) for n, op in self._populations()})

    def _populations(self) -> list[tuple[str, Neuron]]:
        return [(node.name, node.op) for node in self.graph.of(Neuron) if isinstance(node.op, Neuron)]

    def _count(self, name: str, op: Neuron) -> tuple[int, int]:
        low, high = op.range
        return self.counts.get(name, (low, self.ticks if high is None else high))

    def _trains(self, name: str, op: Neuron) -> tuple[int, int]:
        """Most negative (as a negative number) and positive spikes in a run that ends with an exact count."""
        (low, high), (least, most) = self._count(name, op), _spikes(op)
        if least == 0:
            return 0, high
        if (least, most) == (-1, 1):  # p - m is the count, and p + m at most the ticks
            return -((self.ticks - low) // 2), (self.ticks + high) // 2
        return least * self.ticks, most * self.ticks

    def of(self, node: Node) -> Arrival | None:
        """What reaches a population; None where that is not known."""
        op, (source,) = node.op, node.inputs
        assert isinstance(op, Neuron)
        tick, run, whole = (places[source] for places in (self._in_a_tick, self._in_all, self._whole))
        if not (isinstance(tick, Lattice) and isinstance(run, Lattice) and isinstance(whole, Lattice)):
            return None
        gain = 1 << op.shift
        bias = op.bias.astype(np.int64)
        shares = np.stack([np.abs(part(bias, at, self.steps)) for at in range(min(2, self.steps))]).max(axis=0)
        positive, negative = (np.maximum(sign * bias, 0) for sign in (1, -1))
        up, down = (np.maximum(end, 0) * gain for end in (tick.high, -tick.low))
        up, down = up + np.where(bias > 0, shares, 0), down + np.where(bias < 0, shares, 0)
        more, less = _times(up, self.ticks), _times(down, self.ticks)
        if self._mixed(source):  # constant charge comes beside the spikes
            up, down = np.full_like(up, UNKNOWN), np.full_like(down, UNKNOWN)
            more, less = up, down
        if self._adds_up(source):
            more = np.minimum(more, np.maximum(run.high, 0) * gain + positive)
            less = np.minimum(less, np.maximum(-run.low, 0) * gain + negative)
        start = bias + op.v0
        return Arrival(up, down, more, less, whole.low * gain + start, whole.high * gain + start)

    def _mixed(self, source: str) -> bool:
        """Whether constant charge reaches a node beside spikes."""
        return any(name in self.constant for name in self._before(source))

    def _adds_up(self, source: str) -> bool:
        """Whether the charge of either sign is bounded by that of all spikes: no maximum is taken of what may fall."""
        places = (self._in_a_tick[self.graph[n].inputs[0]] for n in self._before(source) if self._is_pool(n))
        return all(isinstance(place, Lattice) and not (place.low < 0).any() for place in places)

    def _is_pool(self, name: str) -> bool:
        return isinstance(self.graph[name].op, MaxPool)

    def _before(self, source: str) -> list[str]:
        """The node and those before it, populations left out."""
        found, waiting = list[str](), [source]
        while waiting:
            name = waiting.pop()
            if name not in found and not isinstance(self.graph[name].op, Neuron):
                found.append(name)
                waiting += self.graph[name].inputs
        return found


def _spikes(op: Neuron) -> tuple[int, int]:
    """Least and greatest of what a neuron sends in a tick."""
    if isinstance(op, (IF, LIF)):
        return 0, 1
    if isinstance(op, (SignedIF, STBIF, StoreAndForward)):
        return -1, 1
    low, high = op.range
    span = 1 if high is None else high - low
    return -span, span


def spread(op: Neuron, arrival: Arrival, counts: tuple[int, int], ticks: int) -> Spread | None:
    """How far the count may be from clip(floor((v0 + charge) / theta), counts) for any order of arrival; None: unknown.

    For `if`, `signed-if` and `st-bif` that start in [0, theta) and have the range of the counts.
    """
    if not _climbs(op, counts):
        return None
    low, high = counts
    theta, even = op.theta.astype(np.int64), op.ties == "even" and op.exact
    behind = _lag(arrival.up, arrival.more, theta, ticks, even)
    if isinstance(op, IF):
        after_the_first = np.minimum(_times(arrival.down, ticks - 1), arrival.less)
        most = (arrival.more + op.v0) // theta  # no negative charge at all
        ahead = np.minimum(-(-after_the_first // theta), most)
    else:
        ahead = _lag(arrival.down, arrival.less, theta, ticks, even)
    reached = arrival.high // theta
    if op.range[1] is None:  # charge above the staircase makes spikes above it
        ahead = np.maximum(ahead, np.minimum(reached + ahead, ticks) - high)
    ahead = np.minimum(ahead, (ticks if op.range[1] is None else high) - low)
    return Spread(ahead, np.minimum(behind, np.clip(reached, low, high) - low))


def steady(op: Neuron, arrival: Arrival, counts: tuple[int, int], steps: int, ticks: int) -> Spread | None:
    """The same for constant input, which comes in equal parts of one sign: only charge above the staircase counts.

    A neuron that sends ties to the even count must start above zero, or it may owe one.
    """
    low, high = counts
    owes = op.ties == "even" and op.exact and bool((op.v0 == 0).any())
    if not _climbs(op, counts) or steps < max(high, -low) or owes:
        return None
    reached = arrival.high // op.theta.astype(np.int64)
    above = np.maximum(np.minimum(reached, ticks) - high, 0) if op.range[1] is None else np.zeros((), np.int64)
    return Spread(above, np.zeros((), np.int64))


def _climbs(op: Neuron, counts: tuple[int, int]) -> bool:
    low, high = op.range
    starts_at_rest = bool(((op.v0 >= 0) & (op.v0 < op.theta)).all())
    return isinstance(op, (IF, SignedIF, STBIF)) and starts_at_rest and low == counts[0] and high in (None, counts[1])


def _lag(most: Array, total: Array, theta: Array, ticks: int, even: bool) -> Array:
    """Spikes that may be owed at the end of a run of ticks that all fired."""
    most, total, theta = np.broadcast_arrays(most, total, theta)
    turn = total // np.maximum(most, 1)
    lengths = (np.ones_like(turn), np.clip(turn, 1, ticks), np.clip(turn + 1, 1, ticks), np.full_like(turn, ticks))
    owed = np.stack([np.minimum(_times(most, m), total) - m * theta for m in lengths]).max(axis=0)
    return np.where(owed >= 0, owed // theta + 1, 0) if even else np.maximum(-(-owed // theta), 0)


def _times(charge: Array, ticks: Array | int) -> Array:
    """A product that is `UNKNOWN` where it gets as large."""
    large = charge.astype(np.float64) * ticks >= UNKNOWN
    return np.where(large, UNKNOWN, np.where(large, 0, charge) * ticks)
