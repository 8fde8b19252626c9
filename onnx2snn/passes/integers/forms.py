"""Neurons as the staircases that they climb, and with the whole numbers that were found for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.ir import Array, Shape
from onnx2snn.ir.ops import LIF, Neuron

FINE_BITS = 12  #: of the threshold of a neuron that leaks, at least
MOST_BITS = 60  #: of anything that a membrane may hold
WIDE = 1 << 50


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
