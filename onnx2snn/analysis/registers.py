"""How wide a register must be that no sum or membrane ever overflows, whatever the input and the order of arrival.

Every partial sum of charge lies within the range [low, high] of the whole, for zero lies in the range of every count.
So a membrane lies between v0 + low - theta hi and v0 + high - theta lo; and since it is at least 0 after each positive
spike and at most theta after each negative one, also within high - low of these.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.analysis.lattice import Lattice, Place
from onnx2snn.ir import Array
from onnx2snn.ir.ops import LIF, Neuron


def membrane_bits(op: Neuron, place: Place, ticks: int) -> int:
    """Bits of a signed register for every membrane value on the way, before and after resets; 0: not known.

    place: of what the neuron reads.
    """
    if not isinstance(place, Lattice):
        return 0
    least, most = op.range
    parts = (op.theta, op.v0, op.bias, place.low, place.high)
    kind = np.int64 if _narrow(op, place, ticks) else object
    theta, v0, bias, low, high = (np.asarray(part).astype(kind) for part in parts)
    low, high = low << op.shift, high << op.shift
    low, high = low + np.minimum(bias, 0), high + np.maximum(bias, 0)
    if isinstance(op, LIF):  # what arrives is taken in as often as the synaptic current holds it
        low, high = low * op.worth(ticks), high * op.worth(ticks)
    reach = high - low
    bottom = np.maximum(v0 + low - theta * (ticks if most is None else most), np.minimum(v0, 0) - reach)
    top = np.minimum(v0 + high - theta * least, np.maximum(v0, theta) + reach)
    if isinstance(op, LIF):  # a leak or a reset may have taken charge of one sign alone, and rounding what is left
        bottom, top = bottom - reach - ticks, top + reach + ticks
    return width(bottom, top)


def _narrow(op: Neuron, place: Lattice, ticks: int) -> bool:
    """Whether int64 holds all that is computed of a neuron's membranes on the way."""
    spikes = max(ticks, *(abs(end) for end in op.range if end is not None))
    charge = sum(int(np.abs(end).max()) for end in (place.low, place.high)) << op.shift
    still = sum(int(np.abs(part).max()) for part in (op.v0, op.bias, op.theta))
    return not isinstance(op, LIF) and 2 * charge + (spikes + 4) * still < 1 << 62


def sum_bits(place: Place) -> int:
    """Bits of a signed register for the running sum of a node; 0 where it is real-valued."""
    return width(place.low, place.high) if isinstance(place, Lattice) else 0


def width(low: Array, high: Array) -> int:
    """Bits of the smallest signed register that holds all from `low` to `high`: -2^(b-1) to 2^(b-1) - 1."""
    bottom, top = int(np.min(low)), int(np.max(high))
    return max(top, -bottom - 1, 0).bit_length() + 1
