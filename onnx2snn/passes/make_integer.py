"""From real arithmetic to whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.analysis.solve import Limits
from onnx2snn.ir import Graph
from onnx2snn.passes.base import Pass
from onnx2snn.passes.integers import linear, neurons
from onnx2snn.passes.integers.builder import Builder

RULE_FILES = (linear, neurons)  #: importing them registers their rules


@final
@dataclass(frozen=True)
class MakeInteger(Pass):
    """Gives every neuron whole thresholds and membranes on the smallest fixed-point grid that is exact.

    given:   real-valued neurons between linear ops with whole weights and per-channel scales
    result:  Conv, Dense without scales; neurons with whole theta, v0, bias, value 1 and a left shift of the current;
             a readout that carries the scale. Branches with unequal scales get whole multipliers, as small as an
             exact addition allows. What has no exact integer form is rounded, and the certificate says so.
    steps: the most spikes of a neuron without upper bound (inject steps of the run).
    timed: for a trained spiking network, whose neurons are to spike at the same steps; else only their counts after a
    run matter, and half a threshold is taken for the initial membrane.
    """

    name: ClassVar[str] = "make-integer"
    steps: int = 15
    shift: int = 32  #: most fractional bits
    theta: int = 1 << 52  #: largest threshold
    significant_bits: int = 0  #: of a threshold; 0: any number
    state: int = 0  #: most bits of a membrane; 0: any number
    weight_bits: int = 0  #: most bits of a weight; 0: any number, and 16 for weights that are rounded here
    timed: bool = False  #: keep what neurons do at every step, not their count alone
    analog_bits: int = 16  #: of timed neurons behind a real-valued first synapse: bits of their threshold

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        limits = Limits(self.shift, self.theta, self.significant_bits)
        bits = self.state, self.weight_bits
        return Builder(graph, notes, self.steps, limits, *bits, self.timed, self.analog_bits).build()
