"""Neurons in whole numbers: threshold and initial membrane solved for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import lcm
from typing import TypeVar

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.analysis.lattice import Lattice, enclosing
from onnx2snn.analysis.pairs import MOST_CASES, PairClimb, PairTable, check_pair, nearest_agree
from onnx2snn.analysis.registers import membrane_bits
from onnx2snn.analysis.solve import Limits, Solution, solve
from onnx2snn.errors import PassError
from onnx2snn.ir import Array, Node, Shape
from onnx2snn.ir.ops import DECAY_BITS, LIF, NEURONS, Affine, Encoder, Neuron, whole_decay
from onnx2snn.passes.integers.builder import RULES, Analog, Builder, Pair, Place, add_scaled, nearest_multipliers
from onnx2snn.passes.integers.timed import timed_neuron

T = TypeVar("T")
ANALOG_BITS = 16  #: a real-valued first synapse is read to 2^-16 of a step
WIDE = 1 << 50
#: For two branches with unequal scales: bits of the multipliers and fractional bits of the threshold, tried in turn.
PAIR_GRIDS = ((4, 4), (8, 8), (12, 12), (16, 16), (20, 20), (24, 12), (24, 24), (28, 16))
SMALL_GRIDS = ((0, 0), (1, 1), (2, 2), (3, 3))  #: where a membrane holds no more
PAIR_GRID = (20, 20)  #: where none of them is exact
FINE_BITS = 12  #: of the threshold of a neuron that leaks, at least
MOST_BITS = 60  #: of anything that a membrane may hold
MOST_MULTIPLIER = 1 << 16  #: of what arrives, where no power of two serves


@RULES.rule(*NEURONS)
def _neuron(builder: Builder, node: Node, arriving: list[Place]) -> tuple[str, Place]:
    op, (place,) = node.op, arriving
    assert isinstance(op, Neuron)
    if isinstance(op, LIF):
        for name, decay in op.decays.items():
            if decay != op.whole_decays[name]:
                builder.notes.append(f"{node}: {name} {decay} rounded to {whole_decay(decay)}/{1 << DECAY_BITS}")
    low, high = op.range
    out = Lattice(np.asarray(op.value), np.asarray(low), np.asarray(builder.steps if high is None else high), node.name)
    if builder.timed:
        return timed_neuron(builder, node, op, place), out
    if isinstance(place, Analog):
        return _analog_neuron(builder, node, op), out
    if isinstance(place, Pair):
        return _pair_neuron(builder, node, op, place), out
    climb, shape = climb_of(op, place.unit, place.low, place.high, op.bias, builder.steps)

    def finish(found: Solution) -> None:
        _put_solved(builder, node, op, place, climb, shape, found)

    return builder.put_later(node, op, climb, finish), out


def _put_solved(
    builder: Builder, node: Node, op: Neuron, place: Lattice, climb: Climb, shape: Shape, found: Solution
) -> None:
    """The neuron with the integers that were found, or with others where its membrane gets too wide."""

    def integers(found: Solution) -> tuple[Neuron, int]:
        neuron = integer_neuron(op, found.theta.reshape(shape), found.v0.reshape(shape), found.ties_even, found.shift)
        return neuron, membrane_bits(neuron, place, builder.steps) - (builder.state or WIDE)

    neuron, over = integers(found)
    if (over > 0 or not found.solved.all()) and _multiplied(builder, node, op, climb, place, shape):
        return
    while over > 0 and found.shift:
        found = solve(climb, replace(builder.limits, shift=max(0, found.shift - over)), tie_rule=op.exact)
        neuron, over = integers(found)
    if over > 0:
        raise PassError(f"membranes of {builder.state} bits expected, found {builder.state + over} at least")
    if not found.solved.all():
        unsolved = int((~found.solved).sum())
        builder.notes.append(f"{node}: {unsolved} of {len(found.solved)} channels have no exact threshold")
    builder.new.replace(node.name, neuron)


def _multiplied(builder: Builder, node: Node, op: Neuron, whole: Climb, place: Lattice, shape: Shape) -> bool:
    """Puts a whole multiplier for each channel before the neuron where it makes threshold and membrane whole numbers.

    The trained network's own numbers then, ties and all: for thresholds such as 16/3 of a unit, which no number of
    fractional bits holds. Not where a multiplier gets too large, or a target with limits of its own is to hold it.
    """
    if (builder.limits != Limits() and not builder.budgeted) or (op.ties == "even" and not op.exact):
        return False
    kinds = whole.kinds()
    climb = whole.taken(kinds.first)
    units = [Fraction(float(u)) for u in climb.unit]
    theta = [Fraction(float(s)) / u for s, u in zip(climb.scale, units, strict=True)]
    start = [t / 2 + Fraction(float(o)) / u for t, o, u in zip(theta, climb.offset, units, strict=True)]
    factors = [lcm(t.denominator, v.denominator) for t, v in zip(theta, start, strict=True)]
    largest = np.maximum(np.abs(climb.low), np.abs(climb.high))
    if max(factors) > MOST_MULTIPLIER or any(int(a) * f >> MOST_BITS for a, f in zip(largest, factors, strict=True)):
        return False
    if any(t * f > builder.limits.theta for t, f in zip(theta, factors, strict=True)):
        return False
    gain, least, v0 = (
        np.array([int(n) for n in numbers], np.int64)[kinds.inverse].reshape(shape)
        for numbers in (
            factors,
            (t * f for t, f in zip(theta, factors, strict=True)),
            (v * f for v, f in zip(start, factors, strict=True)),
        )
    )
    neuron = integer_neuron(op, least, v0, op.ties == "even", 0)
    scaled = replace(place, low=place.low * gain, high=place.high * gain)
    if builder.state and membrane_bits(neuron, scaled, builder.steps) > builder.state:
        return False
    made = builder.new.add(builder.new.fresh(f"{node.name}.scale"), Affine(scale=gain), node.inputs, node.origin)
    builder.new.replace(node.name, neuron, [made])
    return True


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
    """The neuron with whole numbers: half a threshold stays the initial membrane, the rest of v0 is bias.

    One that leaks gets a finer grid, so that what is cut off its membrane in every step is little beside its threshold.
    """
    leak: dict[str, float] = {}
    if isinstance(op, LIF):
        finer = max(0, FINE_BITS - int(theta.min()).bit_length())
        theta, v0, shift = theta << finer, v0 << finer, shift + finer
        leak = op.whole_decays
    start = theta // 2
    ties = "even" if ties_even else "up"
    return replace(op, theta=theta, v0=start, bias=v0 - start, value=np.asarray(1), shift=shift, ties=ties, **leak)


def _analog_neuron(builder: Builder, node: Node, op: Neuron) -> str:
    """A neuron behind the real-valued first synapse: its charge is read in units of theta / 2^16."""
    step = op.theta / (1 << ANALOG_BITS)
    fixed = Encoder(scale=step, lo=-WIDE, hi=WIDE, value=np.asarray(1))
    source = builder.new.add(builder.new.fresh(f"{node.name}.fixed"), fixed, node.inputs, node.origin)
    theta = np.full(op.theta.shape, 1 << ANALOG_BITS, np.int64)
    v0 = np.rint(op.v0 / step).astype(np.int64) + np.rint(op.bias / step).astype(np.int64)
    theta = np.broadcast_to(theta, np.broadcast_shapes(theta.shape, v0.shape))
    neuron = integer_neuron(op, theta, v0, op.ties == "even" and op.exact, 0)
    return builder.new.add(node.name, neuron, [source], node.origin)


def _pair_neuron(builder: Builder, node: Node, op: Neuron, pair: Pair) -> str:
    """Multipliers of the fewest bits for which every count of one branch leaves every breakpoint of the other.

    Threshold and membrane have fractional bits of their own.
    """
    units = np.broadcast_shapes(*(a.shape for a in (op.bias, op.theta, *(place.unit for place in pair.places))))
    places = _narrowed(pair.places[0], units), _narrowed(pair.places[1], units)
    climb = _pair_climb(op, *_by_reach(pair, places), builder.steps)
    grids = [grid for grid in (*SMALL_GRIDS, *PAIR_GRIDS) if _pair_fits(builder, op, pair, places, *grid)]
    if not grids:
        most = f"membranes of {builder.state or 'any'} bits and thresholds up to {builder.limits.theta}"
        raise PassError(f"{most} expected; its sum of two branches with unequal scales needs more bits")
    rounded = max((grid for grid in grids if grid <= PAIR_GRID), default=grids[0])
    exact = (grid for grid in grids if grid in PAIR_GRIDS and _pair_exact(builder, op, pair, climb, *grid))
    bits, shift = next(exact, rounded)
    _, source = add_scaled(builder, pair, bits)
    neuron, _ = _on_grid(builder, op, pair, places, bits, shift)
    return builder.new.add(node.name, neuron, [source], node.origin)


def _on_grid(
    builder: Builder, op: Neuron, pair: Pair, places: tuple[Lattice, Lattice], bits: int, shift: int
) -> tuple[Neuron, Lattice]:
    """The neuron behind two branches on a grid, and what it reads."""
    (one, other), (first, second) = pair.multipliers(bits), places
    low, high = first.low * one + second.low * other, first.high * one + second.high * other
    place = Lattice(first.unit / one, np.asarray(low), np.asarray(high), pair.node.name)
    whole, form = climb_of(op, place.unit, place.low, place.high, op.bias, builder.steps)
    theta, v0 = _rounded_pair(whole, whole.unit, shift)
    even = op.ties == "even" and op.exact
    return integer_neuron(op, np.maximum(theta, 1).reshape(form), v0.reshape(form), even, shift), place


def _pair_fits(
    builder: Builder, op: Neuron, pair: Pair, places: tuple[Lattice, Lattice], bits: int, shift: int
) -> bool:
    """Whether a grid keeps to a budget; without one the small grids are not tried."""
    if not builder.budgeted:
        return (bits, shift) in PAIR_GRIDS
    if _largest_sum(pair, bits) << shift >> MOST_BITS:
        return False
    neuron, place = _on_grid(builder, op, pair, places, bits, shift)
    fits = bool(neuron.theta.max() <= builder.limits.theta)
    return fits and membrane_bits(neuron, place, builder.steps) <= (builder.state or WIDE)


def _narrowed(place: Lattice, shape: Shape) -> Lattice:
    """The place with one range for all entries that share a breakpoint."""
    low, high = enclosing(place, shape)
    return replace(place, low=low, high=high)


def _rounded_pair(climb: Climb, unit: Array, shift: int) -> tuple[Array, Array]:
    """Threshold and initial membrane of a staircase, bias included, in 2^-shift of units."""
    grid = (1 << shift) / unit
    theta, v0 = np.rint(climb.scale * grid), np.rint((climb.scale / 2 + climb.offset) * grid)
    return theta.astype(np.int64), v0.astype(np.int64)


def _pair_exact(builder: Builder, op: Neuron, pair: Pair, climb: PairClimb, bits: int, shift: int) -> bool:
    """Whether a grid is exact: the channels that ask for most are tried first."""
    many = climb.cases > MOST_CASES
    if many and (bits, shift) != PAIR_GRID:
        return False
    if not many and (few := climb.tightest) is not climb:
        first, second = _by_reach(pair, (few.first.unit, few.unit))
        if not _proven(few, _pair_table(op, pair, few, nearest_multipliers(first, second, bits), shift)):
            return False
    if (_largest_sum(pair, bits) << shift).bit_length() > MOST_BITS:
        return False
    form = np.broadcast_shapes(pair.units[0].shape, op.theta.shape, op.bias.shape)
    one, other = (np.broadcast_to(m, form).reshape(-1) for m in pair.multipliers(bits))
    table = _pair_table(op, pair, climb, (one, other), shift)
    return bool(table.theta.max() <= builder.limits.theta) and (many or _proven(climb, table))


def _pair_table(op: Neuron, pair: Pair, climb: PairClimb, multipliers: tuple[Array, Array], shift: int) -> PairTable:
    """The integers on a grid; multipliers: of the branches, in the order in which the pair has them."""
    first, _ = _by_reach(pair, (climb.first.unit, climb.unit))
    theta, v0 = _rounded_pair(climb.first, first / multipliers[0], shift)
    m1, m2 = _by_reach(pair, multipliers)
    return PairTable(m1 << shift, m2 << shift, theta, v0, op.ties == "even" and op.exact)


def _proven(climb: PairClimb, table: PairTable) -> bool:
    """Whether every breakpoint is right; of few channels those nearest to a whole number are looked at first."""
    if climb.tightest is climb and not nearest_agree(climb, table):
        return False
    good, total, _ = check_pair(climb, table, stop_early=True)
    return good == total


def _pair_climb(op: Neuron, first: Lattice, second: Lattice, steps: int) -> PairClimb:
    """The staircase of a real-valued neuron over two branches; the second is enumerated."""
    arrays = np.broadcast_arrays(first.unit, op.bias, op.theta, second.unit)
    shape = arrays[0].shape
    climb, _ = climb_of(op, np.broadcast_to(first.unit, shape), first.low, first.high, op.bias, steps)
    unit, low, high = (np.broadcast_to(a, shape).reshape(-1) for a in (second.unit, second.low, second.high))
    return PairClimb(climb, unit, low, high)


def _largest_sum(pair: Pair, bits: int) -> int:
    """The largest sum of two branches, on a grid."""
    return sum(_largest(place, m) for place, m in zip(pair.places, pair.multipliers(bits), strict=True))


def _largest(place: Lattice, multiplier: Array) -> int:
    return int(np.max(np.maximum(np.abs(place.low), np.abs(place.high))) * int(multiplier.max()))


def _by_reach(pair: Pair, branches: tuple[T, T]) -> tuple[T, T]:
    """What belongs to the two branches, that of the wider range first."""
    first, second = (_reach(place) for place in pair.places)
    return (branches[1], branches[0]) if second > first else branches


def _reach(place: Lattice) -> int:
    return int(np.max(place.high) - np.min(place.low))
