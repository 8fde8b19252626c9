"""From real arithmetic to whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.analysis.lattice import LATTICE, Lattice, shrink, whole_ratios
from onnx2snn.analysis.pairs import MOST_CASES, PairClimb, PairTable, check_pair
from onnx2snn.analysis.solve import Limits, solve
from onnx2snn.errors import PassError, located
from onnx2snn.ir import Array, Graph, Node, Shape
from onnx2snn.ir.ops import (
    STBIF,
    Add,
    Affine,
    Concat,
    Conv,
    Dense,
    Encoder,
    Input,
    MaxPool,
    Neuron,
    Readout,
    Reshape,
    SumPool,
)
from onnx2snn.passes.base import Pass
from onnx2snn.table import Table

ANALOG_BITS = 16  #: a real-valued first synapse is read to 2^-16 of a step
WEIGHT_BITS = 15  #: real weights are rounded to this many bits and a sign
WIDE = 1 << 50


@final
@dataclass(frozen=True)
class MakeInteger(Pass):
    """Gives every neuron whole thresholds and membranes on the smallest fixed-point grid that is exact.

    given:   real-valued neurons between linear ops with whole weights and per-channel scales
    result:  Conv, Dense without scales; neurons with whole theta, v0, bias, value 1 and a left shift of the current;
             a readout that carries the scale. Branches with unequal scales get whole multipliers, as small as an
             exact addition allows. What has no exact integer form is rounded, and the certificate says so.
    steps: the most spikes of a neuron without upper bound (inject steps of the run).
    """

    name: ClassVar[str] = "make-integer"
    steps: int = 15
    shift: int = 24  #: most fractional bits
    theta: int = 1 << 52  #: largest threshold
    significant_bits: int = 0  #: of a threshold; 0: any number

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        return _Builder(self, graph, notes).build()


@dataclass(frozen=True)
class _Analog:
    """A value that stays real because the input is."""


@dataclass(frozen=True)
class _Pair:
    """A sum of two branches with unequal scales, not yet added."""

    names: tuple[str, str]
    places: tuple[Lattice, Lattice]
    node: Node


_Place = Lattice | _Analog | _Pair
_Rule = Callable[["_Builder", Node, list[_Place]], tuple[str, _Place]]
_RULES: Table[_Rule] = Table("pass make-integer")


class _Builder:
    def __init__(self, options: MakeInteger, graph: Graph, notes: list[str]) -> None:
        self.options, self.old, self.notes = options, graph, notes
        self.new = Graph(graph.name)
        self.names: dict[str, str] = {}
        self.places: dict[str, _Place] = {}

    def build(self) -> Graph:
        for node in self.old:
            with located(f"{node}"):
                arriving = [self.places[source] for source in node.inputs]
                moved = replace(node, inputs=tuple(self.names[source] for source in node.inputs))
                if not isinstance(node.op, (Neuron, Add)):
                    arriving, moved = self.settle_pairs(arriving, moved)
                name, place = _RULES[type(node.op)](self, moved, arriving)
                self.names[node.name], self.places[node.name] = name, place
        self.new.outputs = tuple(self.names[output] for output in self.old.outputs)
        return self.new

    def put(self, node: Node, op: object) -> str:
        return self.new.add(node.name, op, node.inputs, node.origin)  # type: ignore[arg-type]

    def shapes(self, node: Node) -> list[Shape]:
        return [self.new.shape(source) for source in node.inputs]

    def settle_pairs(self, arriving: list[_Place], node: Node) -> tuple[list[_Place], Node]:
        """Adds pairs that something else than a neuron reads, with multipliers of 16 bits."""
        inputs = list(node.inputs)
        settled = list(arriving)
        for slot, place in enumerate(arriving):
            if isinstance(place, _Pair):
                if place.node.name not in self.new:
                    self.notes.append(f"{place.node}: its branches have unequal scales; multipliers of 16 bits")
                settled[slot], inputs[slot] = add_scaled(self, place, 16)
        return settled, replace(node, inputs=tuple(inputs))


def add_scaled(builder: _Builder, pair: _Pair, bits: int) -> tuple[Lattice, str]:
    """The two branches, multiplied onto one lattice of the first unit / 2^bits, and added."""
    first, second = pair.places
    one, other = multipliers(pair, bits)
    base = first.unit / one
    if pair.node.name not in builder.new:
        sources = [
            builder.new.add(builder.new.fresh(f"{pair.node.name}.scale{i}"), Affine(scale=m), [name], pair.node.origin)
            for i, (m, name) in enumerate(zip((one, other), pair.names, strict=True))
        ]
        builder.new.add(pair.node.name, Add(), sources, pair.node.origin)
    low, high = first.low * one + second.low * other, first.high * one + second.high * other
    return Lattice(base, np.asarray(low), np.asarray(high), pair.node.name), pair.node.name


def multipliers(pair: _Pair, bits: int) -> tuple[Array, Array]:
    """Whole multipliers of both branches: exact where their ratio is one of small whole numbers."""
    units = np.stack(np.broadcast_arrays(pair.places[0].unit, pair.places[1].unit))
    flat = units.reshape(2, -1)
    columns = [whole_ratios(column) for column in flat.T]
    if all(column is not None for column in columns):
        whole = np.stack([c for c in columns if c is not None], axis=1).reshape(units.shape)
        return whole[0], whole[1]
    one = np.full(units.shape[1:], 1 << bits, np.int64)
    return one, np.maximum(1, np.rint(units[1] / units[0] * (1 << bits)).astype(np.int64))


# -- rules ----------------------------------------------------------------------------------------------------------


@_RULES.rule(Input)
def _input(builder: _Builder, node: Node, arriving: list[_Place]) -> tuple[str, _Place]:
    return builder.put(node, node.op), _Analog()


@_RULES.rule(Encoder)
def _encoder(builder: _Builder, node: Node, arriving: list[_Place]) -> tuple[str, _Place]:
    op = node.op
    assert isinstance(op, Encoder)
    unit = np.asarray(op.value, np.float64)
    name = builder.put(node, replace(op, value=np.asarray(1)))
    return name, Lattice(unit, np.asarray(op.lo), np.asarray(op.hi), name)


@_RULES.rule(Conv, Dense)
def _weighted(builder: _Builder, node: Node, arriving: list[_Place]) -> tuple[str, _Place]:
    op, (place,) = node.op, arriving
    assert isinstance(op, (Conv, Dense))
    if isinstance(place, _Analog):
        return builder.put(node, _real(op)), place
    assert isinstance(place, Lattice)
    (shape,) = builder.shapes(node)
    if op.weight.dtype.kind != "i":
        op = _rounded(op)
        builder.notes.append(f"{node}: real weights rounded to {WEIGHT_BITS} bits and a sign")
    found = LATTICE[type(op)](replace(node, op=op), [place], [shape])
    if not isinstance(found, Lattice):
        op, unit = _spread(op, place, shape)
        builder.notes.append(f"{node}: unequal input scales multiplied into the weights")
        found = LATTICE[type(op)](replace(node, op=op), [replace(place, unit=unit)], [shape])
    assert isinstance(found, Lattice)
    return builder.put(node, replace(op, scale=None)), found


def _real(op: Conv | Dense) -> Conv | Dense:
    """The op with its scale multiplied in."""
    if op.scale is None:
        return op
    column = (-1,) + (1,) * (op.weight.ndim - 1)
    return replace(op, weight=op.weight * op.scale.reshape(column), scale=None)


def _rounded(op: Conv | Dense) -> Conv | Dense:
    """Real weights as whole ones with a scale a channel."""
    column = (-1,) + (1,) * (op.weight.ndim - 1)
    largest = np.abs(op.weight).reshape(len(op.weight), -1).max(axis=1)
    scale = np.where(largest > 0, largest, 1.0) / ((1 << WEIGHT_BITS) - 1)
    return replace(op, weight=np.rint(op.weight / scale.reshape(column)).astype(np.int64), scale=scale)


def _spread(op: Conv | Dense, place: Lattice, shape: Shape) -> tuple[Conv | Dense, Array]:
    """Input scales that differ from channel to channel as whole factors of the weights."""
    unit = np.broadcast_to(place.unit, shape)
    if isinstance(op, Conv):
        if op.groups != 1 or np.ptp(unit.reshape(len(unit), -1), axis=1).any():
            raise PassError("unequal scales within a channel or a group have no integer form; use --float")
        unit = unit.reshape(len(unit), -1)[:, 0]
    elif unit.ndim > 1:
        raise PassError("unequal scales before a matrix product over several axes have no integer form; use --float")
    factors = whole_ratios(unit)
    if factors is None:
        factors = np.rint(unit / unit.min() * (1 << 12)).astype(np.int64)
    base = np.asarray(unit.max() / factors[np.argmax(unit)])
    row = (1, -1) + (1,) * (op.weight.ndim - 2)
    return replace(op, weight=op.weight.astype(np.int64) * factors.reshape(row)), base


@_RULES.rule(Affine)
def _affine(builder: _Builder, node: Node, arriving: list[_Place]) -> tuple[str, _Place]:
    op, (place,) = node.op, arriving
    assert isinstance(op, Affine)
    if isinstance(place, _Analog):
        return builder.put(node, op), place
    if op.scale is None or op.shift is not None:
        raise PassError("a constant between neurons; pass collect-bias moves it")
    found = LATTICE[Affine](node, [place], builder.shapes(node))
    if not isinstance(found, Lattice):
        raise PassError(f"{found.reason}; no integer form, use --float")
    if (op.scale > 0).all():
        return node.inputs[0], found
    return builder.put(node, Affine(scale=np.sign(op.scale).astype(np.int64))), found


@_RULES.rule(Add)
def _add(builder: _Builder, node: Node, arriving: list[_Place]) -> tuple[str, _Place]:
    if all(isinstance(place, _Analog) for place in arriving):
        return builder.put(node, node.op), arriving[0]
    arriving, node = builder.settle_pairs(arriving, node)
    known = [place for place in arriving if isinstance(place, Lattice)]
    if len(known) < len(arriving):
        raise PassError("a real-valued branch joins a spiking one; quantise it or use --float")
    found = LATTICE[Add](node, known, builder.shapes(node))
    if isinstance(found, Lattice):
        return builder.put(node, node.op), found
    pair = _Pair(node.inputs[:2], (known[0], known[1]), node)  # type: ignore[arg-type]
    for index in range(2, len(known)):
        place, name = add_scaled(builder, replace_name(pair, node, index), 16)
        pair = _Pair((name, node.inputs[index]), (place, known[index]), node)
    exact = add_scaled(builder, pair, 0) if _commensurable(pair) else None
    return (exact[1], exact[0]) if exact else (node.name, pair)


def replace_name(pair: _Pair, node: Node, index: int) -> _Pair:
    """The same pair under a name of its own, for sums of more than two branches."""
    return replace(pair, node=replace(node, name=f"{node.name}.part{index}"))


def _commensurable(pair: _Pair) -> bool:
    units = np.stack(np.broadcast_arrays(pair.places[0].unit, pair.places[1].unit)).reshape(2, -1)
    return all(whole_ratios(column) is not None for column in units.T)


@_RULES.rule(Concat, Reshape, SumPool, MaxPool)
def _structure(builder: _Builder, node: Node, arriving: list[_Place]) -> tuple[str, _Place]:
    analog = [isinstance(place, _Analog) for place in arriving]
    if all(analog):
        return builder.put(node, node.op), arriving[0]
    if any(analog):
        raise PassError("a real-valued branch joins a spiking one; quantise it or use --float")
    found = LATTICE[type(node.op)](node, arriving, builder.shapes(node))
    if not isinstance(found, Lattice):
        raise PassError(f"{found.reason}; no integer form, use --float")
    return builder.put(node, node.op), found


@_RULES.rule(Readout)
def _readout(builder: _Builder, node: Node, arriving: list[_Place]) -> tuple[str, _Place]:
    op, (place,) = node.op, arriving
    assert isinstance(op, Readout)
    unit = place.unit if isinstance(place, Lattice) else np.ones(())
    return builder.put(node, replace(op, scale=shrink(np.asarray(unit * op.scale)))), place


@_RULES.rule(*Neuron.__subclasses__())
def _neuron(builder: _Builder, node: Node, arriving: list[_Place]) -> tuple[str, _Place]:
    op, (place,) = node.op, arriving
    assert isinstance(op, Neuron)
    low, high = op.range
    out = Lattice(
        np.asarray(op.value), np.asarray(low), np.asarray(builder.options.steps if high is None else high), node.name
    )
    if isinstance(place, _Analog):
        return _analog_neuron(builder, node, op), out
    if isinstance(place, _Pair):
        return _pair_neuron(builder, node, op, place), out
    climb, shape = climb_of(op, place.unit, place.low, place.high, op.bias, builder.options.steps)
    options = builder.options
    limits = Limits(options.shift, options.theta, options.significant_bits)
    found = solve(climb, limits, tie_rule=isinstance(op, STBIF))
    if not found.solved.all():
        builder.notes.append(f"{node}: {(~found.solved).sum()} of {len(found.solved)} channels have no exact threshold")
    neuron = integer_neuron(op, found.theta.reshape(shape), found.v0.reshape(shape), found.ties_even, found.shift)
    return builder.put(node, neuron), out


def climb_of(op: Neuron, unit: Array, low: Array, high: Array, bias: Array, steps: int) -> tuple[Climb, Shape]:
    """The staircase that a real-valued neuron climbs over a lattice, channel by channel, and their shape."""
    arrays = np.broadcast_arrays(unit, bias, op.theta, low, high)
    shape = arrays[0].shape
    unit_, offset, scale, low_, high_ = (a.reshape(-1) for a in arrays)
    least, most = op.range
    rounding = "half-even" if op.ties == "even" else "half-up"
    climb = Climb(unit_, offset, scale, low_, high_, least, steps if most is None else most, rounding)
    return climb, shape


def integer_neuron(op: Neuron, theta: Array, v0: Array, ties_even: bool, shift: int) -> Neuron:
    """The neuron with whole numbers: half a threshold stays the initial membrane, the rest of v0 is bias."""
    start = theta // 2
    ties = "even" if ties_even else "up"
    return replace(op, theta=theta, v0=start, bias=v0 - start, value=np.asarray(1), shift=shift, ties=ties)


def _analog_neuron(builder: _Builder, node: Node, op: Neuron) -> str:
    """A neuron behind the real-valued first synapse: its charge is read in units of theta / 2^16."""
    step = op.theta / (1 << ANALOG_BITS)
    fixed = Encoder(scale=step, lo=-WIDE, hi=WIDE, value=np.asarray(1))
    source = builder.new.add(builder.new.fresh(f"{node.name}.fixed"), fixed, node.inputs, node.origin)
    theta = np.full(op.theta.shape, 1 << ANALOG_BITS, np.int64)
    v0 = np.rint(op.v0 / step).astype(np.int64) + np.rint(op.bias / step).astype(np.int64)
    theta = np.broadcast_to(theta, np.broadcast_shapes(theta.shape, v0.shape))
    neuron = integer_neuron(op, theta, v0, op.ties == "even" and isinstance(op, STBIF), 0)
    return builder.new.add(node.name, neuron, [source], node.origin)


def _pair_neuron(builder: _Builder, node: Node, op: Neuron, pair: _Pair) -> str:
    """Multipliers of the fewest bits for which every count of one branch leaves every breakpoint of the other."""
    bits = next((b for b in range(4, 33, 4) if _pair_exact(builder, op, pair, b)), 24)
    place, source = add_scaled(builder, pair, bits)
    climb, shape = climb_of(op, place.unit, place.low, place.high, op.bias, builder.options.steps)
    theta, v0 = _rounded_pair(climb)
    even = op.ties == "even" and isinstance(op, STBIF)
    neuron = integer_neuron(op, theta.reshape(shape), v0.reshape(shape), even, 0)
    return builder.new.add(node.name, neuron, [source], node.origin)


def _rounded_pair(climb: Climb) -> tuple[Array, Array]:
    theta = np.rint(climb.scale / climb.unit).astype(np.int64)
    return theta, np.rint((climb.scale / 2 + climb.offset) / climb.unit).astype(np.int64)


def _pair_exact(builder: _Builder, op: Neuron, pair: _Pair, bits: int) -> bool:
    one, other = multipliers(pair, bits)
    first, second = pair.places
    whole, shape = climb_of(op, first.unit / one, first.low, first.high, op.bias, builder.options.steps)
    theta, v0 = _rounded_pair(whole)
    if builder.options.theta < theta.max():
        return False
    climb = pair_climb(op, first, second, builder.options.steps)
    m1, m2 = (np.broadcast_to(m, shape).reshape(-1) for m in (one, other))
    table = PairTable(m1, m2, theta, v0, op.ties == "even" and isinstance(op, STBIF))
    if climb.cases > MOST_CASES:
        return bits >= 24
    good, total, _ = check_pair(climb, table, stop_early=True)
    return good == total


def pair_climb(op: Neuron, first: Lattice, second: Lattice, steps: int) -> PairClimb:
    """The staircase of a real-valued neuron over two branches; the second is enumerated."""
    arrays = np.broadcast_arrays(first.unit, op.bias, op.theta, second.unit)
    shape = arrays[0].shape
    climb, _ = climb_of(op, np.broadcast_to(first.unit, shape), first.low, first.high, op.bias, steps)
    unit, low, high = (np.broadcast_to(a, shape).reshape(-1) for a in (second.unit, second.low, second.high))
    return PairClimb(climb, unit, low, high)
