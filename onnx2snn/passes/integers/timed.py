"""Neurons of a trained spiking network in whole numbers: what they do at every step stays, not their count alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnx2snn.analysis.lattice import Lattice, enclosing
from onnx2snn.analysis.timetable import Timetable
from onnx2snn.analysis.timing import Steady, spike_alike
from onnx2snn.errors import PassError
from onnx2snn.ir import Array, Node
from onnx2snn.ir.ops import IF, LIF, Affine, Encoder, Neuron
from onnx2snn.passes.integers.builder import Analog, Builder, Pair, Place, add_scaled
from onnx2snn.reference import constant_nodes

FINE_BITS = 16  #: of a threshold, at least, where no grid is exact
WIDE = 1 << 50  #: of a charge


def timed_neuron(builder: Builder, node: Node, op: Neuron, place: Place) -> str:
    """The neuron on the smallest grid on which it spikes at the very steps; else on a fine one, rounded.

    Constant current reaches whole numbers as steps times what one step brings, so that every step gets the same.
    """
    if isinstance(place, Analog):
        return _analog(builder, node, op)
    if isinstance(place, Pair):
        place, source = add_scaled(builder, place, 16 if place.ratio is None else 0)
        node = replace(node, inputs=(source,))
    steps, constant = builder.steps, node.inputs[0] in constant_nodes(builder.new)
    many = steps if constant else 1  # the accumulator of a run; without a constant the lattice has it already
    place = replace(place, unit=np.asarray(place.unit) / many, low=place.low * many, high=place.high * many)
    found = _on_smallest_grid(builder, node, op, place)
    source = node.inputs[0]
    if constant:
        whole = Affine(scale=np.asarray(steps))
        source = builder.new.add(builder.new.fresh(f"{node.name}.steps"), whole, node.inputs, node.origin)
    return builder.new.add(node.name, found, [source], node.origin)


def _on_smallest_grid(builder: Builder, node: Node, op: Neuron, place: Lattice) -> Neuron:
    limits, steps = builder.limits, builder.steps
    arrays = np.broadcast_arrays(place.unit, op.theta, op.v0, op.bias / steps)
    form = arrays[0].shape
    low, high = (np.broadcast_to(end, form).reshape(-1) for end in enclosing(place, form))
    real = Steady(*(a.reshape(-1) for a in arrays))
    leaky, anew = isinstance(op, LIF) and op.leaks, isinstance(op, LIF) and op.reset == "zero"
    table = Timetable.of(real, low, high, steps) if isinstance(op, (IF, LIF)) and not (leaky or anew) else None
    rounded, most = _rounded(op, real, 0, form, steps), 0
    for shift in range(limits.shift + 1):
        made, alike = _rounded(op, real, shift, form, steps), 0
        solved = None if table is None else table.solve(shift)
        if solved is not None:
            whole, alike = solved
            made = _put(op, whole, shift, form, steps)
        elif anew and not leaky:
            parts = (made.theta, made.v0, made.bias // steps)
            whole = Steady(np.full(real.unit.shape, 1 << shift), *(a.reshape(-1) for a in parts))
            alike = int(spike_alike(real, whole, low, high, steps, "zero").sum())
        if int(made.theta.max()) > limits.theta:
            break
        if alike == real.unit.size * steps:
            return made
        if alike >= most:
            rounded, most = made, alike
        if int(made.theta.min()).bit_length() >= FINE_BITS:
            break
    why = "a leak in whole numbers" if leaky else "no grid of whole numbers spikes at the very steps"
    builder.notes.append(f"{node}: {why}; thresholds rounded to {int(rounded.theta.max()).bit_length()} bits")
    return rounded


def _rounded(op: Neuron, real: Steady, shift: int, form: tuple[int, ...], steps: int) -> Neuron:
    grid = (1 << shift) / real.unit
    theta, v0, bias = (np.rint(a * grid).astype(np.int64) for a in (real.theta, real.v0, real.bias))
    return _put(op, Steady(real.unit, np.maximum(theta, 1), v0, bias), shift, form, steps)


def _put(op: Neuron, whole: Steady, shift: int, form: tuple[int, ...], steps: int) -> Neuron:
    theta, v0, bias = (a.reshape(form) for a in (whole.theta, whole.v0, whole.bias))
    leak = op.whole_decays if isinstance(op, LIF) else {}
    return replace(op, theta=theta, v0=v0, bias=bias * steps, value=np.asarray(1), shift=shift, **leak)


def _analog(builder: Builder, node: Node, op: Neuron) -> str:
    """Behind the real-valued first synapse: the current of a step is read in fractions of the threshold."""
    if not isinstance(op, (IF, LIF)):
        raise PassError("whole numbers need integrate-and-fire or a leaky neuron; use --float")
    steps, unit = builder.steps, op.theta / (1 << builder.analog_bits)
    most = WIDE // steps
    fixed = Encoder(scale=unit * steps, lo=-most, hi=most, value=np.asarray(steps))
    source = builder.new.add(builder.new.fresh(f"{node.name}.fixed"), fixed, node.inputs, node.origin)
    form = np.broadcast_shapes(unit.shape, op.v0.shape, op.bias.shape)
    arrays: list[Array] = [np.broadcast_to(a, form).reshape(-1) for a in (unit, op.theta, op.v0, op.bias / steps)]
    made = _rounded(op, Steady(*arrays), 0, form, steps)
    return builder.new.add(node.name, made, [source], node.origin)
