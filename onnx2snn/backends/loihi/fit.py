"""Whole numbers within the chip's word lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.backends.chains import FitGrid, Population, is_chain, within
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.leaks import on_registers
from onnx2snn.backends.loihi.rules import LIMITS
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import LIF
from onnx2snn.passes import MakeInteger

FINE_BITS = 20  #: of a threshold that the host's currents are read in, before they are put on the chip's grid


@final
@dataclass(frozen=True)
class FitLoihi(FitGrid):
    """Grids within 16-bit synaptic sums, 24-bit membranes and 13-bit biases.

    given, result: see `FitGrid`.  Thresholds are searched up to one more than the chip can take off, so that one
    which is cut short there still breaks a design rule. Leaky populations count in units of the chip's registers, 2^6
    of them in what everything else counts in (see `onnx2snn.backends.loihi.leaks`).
    """

    name: ClassVar[str] = "fit-loihi"
    most_shift: ClassVar[int] = chip.MOST_EXPONENT + 1
    most_theta: ClassVar[int] = chip.MOST_THETA + 1
    analog_bits: ClassVar[int] = 11  #: a bias of 13 bits holds up to a threshold of it
    chip: chip.Chip = "loihi1"

    def whole(self, graph: Graph, shift: int, notes: list[str]) -> Graph:
        if not graph.of(LIF):
            return super().whole(graph, shift, notes)
        most = chip.MOST_THRESHOLD
        fine = MakeInteger(steps=self.steps, shift=shift, theta=most, timed=self.timed, analog_bits=FINE_BITS)
        made = fine(graph, notes)
        return on_registers(made, self.steps, self.chip, notes) if is_chain(made) else made

    def fits(self, population: Population) -> bool:
        return within(LIMITS, population, self.steps)
