"""Neurons in whole numbers: threshold and initial membrane solved for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import lcm

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.analysis.lattice import Lattice
from onnx2snn.analysis.registers import membrane_bits
from onnx2snn.analysis.solve import Limits, Solution, solve
from onnx2snn.errors import PassError
from onnx2snn.ir import Node, Shape
from onnx2snn.ir.ops import DECAY_BITS, LIF, NEURONS, Affine, Encoder, Neuron, whole_decay
from onnx2snn.passes.integers.builder import RULES, Analog, Builder, Pair, Place
from onnx2snn.passes.integers.forms import MOST_BITS, WIDE, climb_of, integer_neuron
from onnx2snn.passes.integers.pairs import pair_neuron
from onnx2snn.passes.integers.timed import timed_neuron

ANALOG_BITS = 16  #: a real-valued first synapse is read to 2^-16 of a step
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
        return pair_neuron(builder, node, op, place), out
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
