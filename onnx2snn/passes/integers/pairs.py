"""Neurons that read a sum of two branches with unequal scales: multipliers of the fewest bits that serve."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.analysis.lattice import Lattice, enclosing
from onnx2snn.analysis.pairs import MOST_CASES, PairClimb, PairTable, check_pair, nearest_agree
from onnx2snn.analysis.registers import membrane_bits
from onnx2snn.errors import PassError
from onnx2snn.ir import Array, Node, Shape
from onnx2snn.ir.ops import Neuron
from onnx2snn.passes.integers.builder import Builder, Pair, add_scaled, nearest_multipliers
from onnx2snn.passes.integers.forms import MOST_BITS, WIDE, climb_of, integer_neuron

T = TypeVar("T")
#: Bits of the multipliers and fractional bits of the threshold, tried in turn.
PAIR_GRIDS = ((4, 4), (8, 8), (12, 12), (16, 16), (20, 20), (24, 12), (24, 24), (28, 16))
SMALL_GRIDS = ((0, 0), (1, 1), (2, 2), (3, 3))  #: where a membrane holds no more
PAIR_GRID = (20, 20)  #: where none of them is exact


def pair_neuron(builder: Builder, node: Node, op: Neuron, pair: Pair) -> str:
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
