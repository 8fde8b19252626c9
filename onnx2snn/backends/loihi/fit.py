"""Whole numbers within the chip's word lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.backends.chains import FitGrid, Population, within
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.rules import LIMITS


@final
@dataclass(frozen=True)
class FitLoihi(FitGrid):
    """Grids within 16-bit synaptic sums, 24-bit membranes and 13-bit biases.

    given, result: see `FitGrid`.  Thresholds are searched up to one more than the chip can take off, so that one
    which is cut short there still breaks a design rule.
    """

    name: ClassVar[str] = "fit-loihi"
    most_shift: ClassVar[int] = chip.MOST_EXPONENT + 1
    most_theta: ClassVar[int] = chip.MOST_THETA + 1
    analog_bits: ClassVar[int] = 11  #: a bias of 13 bits holds up to a threshold of it

    def fits(self, population: Population) -> bool:
        return within(LIMITS, population, self.steps)
