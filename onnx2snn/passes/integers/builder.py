"""The walk of pass make-integer: a new graph beside the old one, and the lattice of every new node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.analysis.lattice import Lattice
from onnx2snn.analysis.rationals import nearest_fractions, small_ratios
from onnx2snn.analysis.solve import Limits, Solution, solve_layers
from onnx2snn.errors import located
from onnx2snn.ir import Array, Graph, Node, Op, Shape
from onnx2snn.ir.ops import Add, Affine, MaxPool, Neuron
from onnx2snn.reference import tail_nodes
from onnx2snn.table import Table

LARGEST_RATIO = 4096  #: whole multipliers that make two scales equal exactly are no larger


@dataclass(frozen=True)
class Analog:
    """A value that stays real because the input is."""


@dataclass(frozen=True)
class Pair:
    """A sum of two branches with unequal scales, not yet added, and the max-pools behind it.

    The maximum commutes with every monotone table, so what holds for each sum holds for the largest.
    """

    names: tuple[str, str]
    places: tuple[Lattice, Lattice]
    node: Node
    pools: tuple[Node, ...] = ()

    @cached_property
    def units(self) -> tuple[Array, Array]:
        """The scales of the branches, of one shape."""
        first, second = np.broadcast_arrays(self.places[0].unit, self.places[1].unit)
        return first, second

    @cached_property
    def ratio(self) -> tuple[Array, Array] | None:
        """Small whole multipliers that make the scales equal, (channels,) each; None where there are none."""
        return small_ratios(self.units[0].ravel(), self.units[1].ravel(), LARGEST_RATIO)

    @cached_property
    def _known(self) -> dict[int, tuple[Array, Array]]:
        """What `multipliers` has worked out."""
        return {}

    def multipliers(self, bits: int) -> tuple[Array, Array]:
        """Whole multipliers of both branches, exact where their ratio is; else see `nearest_multipliers`."""
        if bits not in self._known:
            first, second = self.units
            one, other = self.ratio or nearest_multipliers(first.ravel(), second.ravel(), bits)
            self._known[bits] = one.reshape(first.shape), other.reshape(first.shape)
        return self._known[bits]


Place = Lattice | Analog | Pair
Rule = Callable[["Builder", Node, list[Place]], tuple[str, Place]]
RULES: Table[Rule] = Table("pass make-integer")


@dataclass(frozen=True)
class Waiting:
    """A neuron whose integers are still to be solved for.

    climb: its staircase, of each neuron.  tie_rule: see `solve_layers`.  finish: takes the solution.
    """

    node: Node
    climb: Climb
    tie_rule: bool
    finish: Callable[[Solution], None]


class Builder:
    """Rewrites node after node through `RULES`; a rule returns the new node's name and its lattice.

    steps: the most spikes of a neuron without upper bound.  limits: what thresholds may be.
    state, weight_bits: most bits of a membrane and of a weight; 0: any number.
    timed: neurons keep what they do at every step, not their count alone.  analog_bits: see `MakeInteger`.
    """

    def __init__(
        self,
        graph: Graph,
        notes: list[str],
        steps: int,
        limits: Limits,
        state: int = 0,
        weight_bits: int = 0,
        timed: bool = False,
        analog_bits: int = 16,
    ) -> None:
        self.old, self.notes, self.steps, self.limits, self.timed = graph, notes, steps, limits, timed
        self.analog_bits = analog_bits
        self.state, self.weight_bits = state, weight_bits
        self.tail = tail_nodes(graph)
        self.new = Graph(graph.name)
        self.names: dict[str, str] = {}
        self.places: dict[str, Place] = {}
        self.waiting: list[Waiting] = []

    @property
    def budgeted(self) -> bool:
        """Whether bits are limited, on any grid; a target with a grid of its own checks what it is given itself."""
        free = Limits()
        return bool(self.state) or (self.limits != free and self.limits == replace(free, theta=self.limits.theta))

    def build(self) -> Graph:
        """The new graph."""
        for node in self.old:
            with located(f"{node}"):
                arriving = [self.places[source] for source in node.inputs]
                moved = replace(node, inputs=tuple(self.names[source] for source in node.inputs))
                if node.name in self.tail:
                    self.names[node.name], self.places[node.name] = self.put(moved, moved.op), Analog()
                    continue
                if not isinstance(node.op, (Neuron, Add, MaxPool)):
                    arriving, moved = self.settle_pairs(arriving, moved)
                name, place = RULES[type(node.op)](self, moved, arriving)
                self.names[node.name], self.places[node.name] = name, place
        self.new.outputs = tuple(self.names[output] for output in self.old.outputs)
        self._finish()
        return self.new

    def put(self, node: Node, op: Op) -> str:
        """Adds `op` under the node's name, inputs and origin."""
        return self.new.add(node.name, op, node.inputs, node.origin)

    def put_later(self, node: Node, op: Neuron, climb: Climb, finish: Callable[[Solution], None]) -> str:
        """Adds a real-valued neuron whose integers are solved for together with those of all others.

        What it sends is known before its integers are. finish: puts the neuron with the integers in its place.
        """
        self.waiting.append(Waiting(node, climb, op.exact, finish))
        return self.put(node, op)

    def _finish(self) -> None:
        climbs, rules = [one.climb for one in self.waiting], [one.tie_rule for one in self.waiting]
        for one, found in zip(self.waiting, solve_layers(climbs, self.limits, rules), strict=True):
            with located(f"{one.node}"):
                one.finish(found)

    def shapes(self, node: Node) -> list[Shape]:
        """Shapes of the inputs of a node."""
        return [self.new.shape(source) for source in node.inputs]

    def settle_pairs(self, arriving: list[Place], node: Node) -> tuple[list[Place], Node]:
        """Adds pairs that something else than a neuron reads, with multipliers of 16 bits."""
        inputs = list(node.inputs)
        settled = list(arriving)
        for slot, place in enumerate(arriving):
            if isinstance(place, Pair):
                if place.node.name not in self.new:
                    self.notes.append(f"{place.node}: its branches have unequal scales; multipliers of 16 bits")
                settled[slot], inputs[slot] = add_scaled(self, place, 16)
        return settled, replace(node, inputs=tuple(inputs))


def add_scaled(builder: Builder, pair: Pair, bits: int) -> tuple[Lattice, str]:
    """The two branches, multiplied onto one lattice by whole numbers, and added."""
    first, second = pair.places
    one, other = pair.multipliers(bits)
    base = first.unit / one
    if pair.node.name not in builder.new:
        sources = [
            builder.new.add(builder.new.fresh(f"{pair.node.name}.scale{i}"), Affine(scale=m), [name], pair.node.origin)
            for i, (m, name) in enumerate(zip((one, other), pair.names, strict=True))
        ]
        builder.new.add(pair.node.name, Add(), sources, pair.node.origin)
    last = pair.node.name
    for pool in pair.pools:
        if pool.name not in builder.new:
            builder.new.add(pool.name, pool.op, [last], pool.origin)
        last = pool.name
    low, high = first.low * one + second.low * other, first.high * one + second.high * other
    return Lattice(base, np.asarray(low), np.asarray(high), last), last


def nearest_multipliers(first: Array, second: Array, bits: int) -> tuple[Array, Array]:
    """Whole multipliers that bring scales (n,) near each other, the first of at most `bits` bits.

    The nearest fractions, whose errors are below 2^-2 bits.
    """
    numerator, denominator = nearest_fractions(second / first, 1 << bits)
    return denominator, np.maximum(numerator, 1)
