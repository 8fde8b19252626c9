"""How wide the whole numbers of an integer network get, and which machine number holds them exactly."""

from __future__ import annotations

from typing import Literal

from onnx2snn.analysis.lattice import Lattice, Place, lattices
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import DECAY_BITS, LIF, Neuron

MachineNumber = Literal["float32", "float64", "int64"]
EXACT_BITS: tuple[tuple[MachineNumber, int], ...] = (("float32", 24), ("float64", 53), ("int64", 62))


def is_integer(graph: Graph) -> bool:
    """Whether the neurons of a spiking graph compute in whole numbers."""
    return any(node.op.integer for node in graph.of(Neuron) if isinstance(node.op, Neuron))


def widths(graph: Graph, ticks: int) -> dict[str, int]:
    """The bits that every node needs in a run of `ticks` ticks; 0 where its values are real.

    They hold the node's value in any one tick, its running sum, and a neuron's membrane at any time.
    """
    if not is_integer(graph):
        return {node.name: 0 for node in graph}
    places = lattices(graph, ticks)
    return {node.name: _width(node, places, ticks) for node in graph}


def _width(node: Node, places: dict[str, Place], ticks: int) -> int:
    op = node.op
    place = places[node.inputs[0]] if isinstance(op, Neuron) else places[node.name]
    if not isinstance(place, Lattice):
        return 0
    largest = 2 * max(_most(place.low), _most(place.high))
    if isinstance(op, Neuron):
        spikes = max(ticks, op.most_at_once)
        charge = ((largest << op.shift) + _most(op.bias)) * (op.worth(ticks) if isinstance(op, LIF) else 1)
        largest = charge + _most(op.v0) + _most(op.theta) * (spikes + 1)
    if isinstance(op, LIF):
        return _leaking(2 * largest + ticks)  # charge that a leak or a reset has taken no longer cancels
    return largest.bit_length()


def _leaking(largest: int) -> int:
    """In floating point the product with the decay has to fit; as int64 it is taken in two parts."""
    bits, float_bits = largest.bit_length(), dict(EXACT_BITS)["float64"]
    return bits + DECAY_BITS if bits + DECAY_BITS <= float_bits else max(bits, float_bits + 1)


def _most(array: Array) -> int:
    """The largest magnitude in a whole array, as a Python number, which has no bound."""
    return max(abs(int(array.min())), abs(int(array.max())))


def narrowest(bits: int) -> MachineNumber | None:
    """The smallest machine number in which sums of whole numbers of `bits` bits are exact; None where there is none."""
    return next((name for name, most in EXACT_BITS if bits <= most), None)
