"""Whole numbers within the chip's word lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.backends.chains import FitGrid, Population, within
from onnx2snn.backends.tianjic import chip
from onnx2snn.backends.tianjic.rules import LIMITS


@final
@dataclass(frozen=True)
class FitTianjic(FitGrid):
    """Grids whose weights are int8 in a few copies of the input, within 32-bit sums and 28-bit states.

    given, result: see `FitGrid`.  Thresholds are searched up to one more than the chip holds, so that one which is
    cut short there still breaks a design rule.
    """

    name: ClassVar[str] = "fit-tianjic"
    most_shift: ClassVar[int] = 12
    most_theta: ClassVar[int] = chip.MOST_STATE + 1

    def fits(self, population: Population) -> bool:
        return within(LIMITS, population, self.steps)
