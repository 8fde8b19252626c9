"""The certificate of a trained spiking network: what its whole-number form is proven to share with it.

No ANN stands behind such a network, so nothing is said of one. In real arithmetic it is the network itself, and how
floating point rounds is not proven. In whole numbers every weight, threshold and bias is compared with the trained one:
a population is exact where it spikes at the very steps of the trained one, in exact arithmetic, whatever arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onnx2snn.analysis.certificate import REAL, Certificate, Verdict, preparing
from onnx2snn.analysis.follow import Follower, Link
from onnx2snn.analysis.lattice import TAIL, Lattice, enclosing, lattices
from onnx2snn.analysis.registers import membrane_bits, sum_bits
from onnx2snn.analysis.timing import Steady, spike_alike
from onnx2snn.ir import Graph, Node
from onnx2snn.ir.ops import IF, LIF, Add, Concat, Input, Neuron, Readout
from onnx2snn.reference import constant_nodes, settle_bound, tail_nodes


def certify_imported(
    reference: Graph, network: Graph, steps: int, settle: int | None = None, approximations: Sequence[str] = ()
) -> Certificate:
    """Compares a spiking graph with the trained one it was made from, both of a run of so many steps."""
    judge = _Judge(reference, network, steps, settle)
    return Certificate(tuple(judge.verdict(node) for node in network), tuple(map(str, approximations)))


class _Judge:
    def __init__(self, reference: Graph, network: Graph, steps: int, settle: int | None) -> None:
        self.reference, self.network, self.steps = reference, network, steps
        self.ticks = steps + (settle_bound(network, steps) if settle is None else settle)
        self.places, self.ranges = lattices(reference, self.ticks), lattices(network, self.ticks)
        self.links = Follower(reference, network, self.places).links()
        self.constant, self.tail = constant_nodes(network), tail_nodes(network)
        self.front = preparing(reference, network)
        self.real = any(not node.op.integer for node in network.of(Neuron) if isinstance(node.op, Neuron))
        self.mixed = any(
            0 < sum(source in self.constant for source in node.inputs) < len(node.inputs)
            for node in network.of(Add, Concat)
        )

    def verdict(self, node: Node) -> Verdict:
        base = Verdict(node.name, node.op.name, "exact", tail=node.name in self.tail)
        if base.tail:
            return replace(base, exactness="analog", reason=TAIL)
        if isinstance(node.op, Input):
            return base
        if self.real:
            return replace(base, exactness="analog", reason=REAL)
        if isinstance(node.op, Neuron):
            return self._neuron(node, node.op, replace(base, bound=self.ticks, counts=(0, self.ticks)))
        base = replace(base, accumulator_bits=sum_bits(self.ranges[node.name]))
        link = self.links[node.name]
        if node.name in self.front:
            return replace(base, reason="part of the encoder: works on the input itself")
        if link.broken:
            return replace(base, exactness="analog" if link.analog else "bounded", reason=link.broken)
        if isinstance(node.op, Readout):
            return self._readout(node, node.op, base)
        return base

    def _neuron(self, node: Node, op: Neuron, base: Verdict) -> Verdict:
        (source,) = node.inputs
        bits = membrane_bits(op, self.ranges[source], self.ticks)
        base = replace(base, accumulator_bits=bits, shift=op.shift, threshold_bits=int(op.theta.max()).bit_length())
        link, twin = self.links[source], self.reference.get(node.name)
        doubt = self._doubt(op, link, twin)
        if doubt:
            return replace(base, exactness="analog" if link.analog else "bounded", reason=doubt)
        assert twin is not None
        assert isinstance(twin.op, (IF, LIF))
        place = self.places[twin.inputs[0]]
        assert isinstance(place, Lattice)
        parts = self.steps if source in self.constant else 1  # of a constant current, what comes in a step
        form = np.broadcast_shapes(*(a.shape for a in (place.unit, twin.op.theta, twin.op.v0, twin.op.bias, op.theta)))
        gain = link.multiplier * (1 << op.shift) // parts
        arrays = (place.unit / parts, twin.op.theta, twin.op.v0, twin.op.bias / self.steps)
        real = Steady(*(np.broadcast_to(a, form).reshape(-1) for a in arrays))
        whole = (gain, op.theta, op.v0, op.bias // self.steps)
        ints = Steady(*(np.broadcast_to(a, form).reshape(-1) for a in whole))
        low, high = (np.broadcast_to(end, form).reshape(-1) for end in enclosing(place, form))
        if parts > 1:
            low, high = low * parts, high * parts
        reset = op.reset if isinstance(op, LIF) else "subtract"
        alike = spike_alike(real, ints, low, high, self.steps, reset)
        base = replace(base, breakpoints=alike.size * self.steps, proven=int(alike.sum()))
        if base.proven == base.breakpoints:
            return replace(base, bound=0)
        return replace(base, exactness="bounded", reason=f"{base.breakpoints - base.proven} thresholds are rounded")

    def _doubt(self, op: Neuron, link: Link, twin: Node | None) -> str:
        """Why nothing is compared, "" where it can be."""
        if link.broken:
            return link.broken
        if twin is None or type(twin.op) is not type(op):
            return "the model has no neuron of this name and kind"
        if isinstance(op, LIF) and isinstance(twin.op, LIF):
            if op.leaks or twin.op.leaks:
                return "its leak is in whole numbers, the model's is not"
            if op.reset != twin.op.reset:
                return f"resets to {op.reset}, the model's to {twin.op.reset}"
        elif not isinstance(op, IF):
            return "nothing is known of such a neuron step by step"
        if self.ticks > self.steps:
            return f"what it does in {self.ticks - self.steps} settle steps is not compared"
        if link.pair:
            return "branches with unequal scales were rounded onto one grid"
        if self.mixed:
            return "constant current joins spikes: in whole numbers it does not come in equal parts"
        if (op.bias % self.steps).any():
            return "its bias does not come in equal parts"
        return ""

    def _readout(self, node: Node, op: Readout, base: Verdict) -> Verdict:
        twin = self.reference.get(node.name)
        place = None if twin is None else self.places[twin.inputs[0]]
        if twin is None or not isinstance(twin.op, Readout) or not isinstance(place, Lattice):
            return base
        scale = place.unit * twin.op.scale
        same = np.allclose(op.scale, scale, rtol=1e-12, atol=0) and np.allclose(op.bias, twin.op.bias, rtol=1e-12)
        return base if same else replace(base, exactness="bounded", reason="scale or bias differ from the model's")
