"""The `loihi` backend: integer tables for Loihi, and an emulator of its integer update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final, get_args

from onnx2snn.backends.base import DesignRule, one_of
from onnx2snn.backends.chains import ChainBackend, OnChip
from onnx2snn.backends.chains.partition import Profile
from onnx2snn.backends.loihi.chip import Chip
from onnx2snn.backends.loihi.codes import LoihiIf, LoihiLadder
from onnx2snn.backends.loihi.cores import profile_of
from onnx2snn.backends.loihi.emulator import LoihiEmulator
from onnx2snn.backends.loihi.ladder import LoihiLadderEmulator
from onnx2snn.backends.loihi.rules import RULES, soft_resets_are_exact
from onnx2snn.passes import QuantiseWeights
from onnx2snn.passes.base import Recipe

WEIGHT_BITS = (8, 7, 6, 5, 4)  #: of a leaky network that says nothing of its weights, tried in turn


@final
@dataclass(frozen=True)
class LoihiBackend(ChainBackend):
    """Code `ladder` in compartments without memory, `if` with soft reset, or `lif` with the chip's own leaks.

    chip: `loihi1`, or `loihi2` with custom microcode. There a neuron with soft reset takes one compartment instead of
    two, one of code `ladder` one instead of one a unit.
    """

    name: ClassVar[str] = "loihi"
    summary: ClassVar[str] = "integer tables for Loihi and an emulator of its integer update"
    codes: ClassVar[tuple[str, ...]] = ("ladder", "if", "lif")
    rules: ClassVar[tuple[DesignRule, ...]] = RULES
    chip: Chip = "loihi1"

    def __post_init__(self) -> None:
        one_of("chip", self.chip, get_args(Chip))

    def on_chip(self, code: str) -> OnChip:
        return LoihiLadder(self.chip) if code == "ladder" else LoihiIf(self.chip, "lif" if code == "lif" else "if")

    def imported(self, code: str) -> tuple[Recipe, ...]:
        """Weights with one scale a layer, as a leaky layer has one threshold, and of as many bits as its sums allow."""
        if code != "lif":
            return super().imported(code)
        return tuple((QuantiseWeights(bits=bits, scales="layer", first=False),) for bits in WEIGHT_BITS)

    def design_rules(self) -> tuple[DesignRule, ...]:
        return (*super().design_rules(), *([soft_resets_are_exact] if self.chip == "loihi1" else []))

    def profile(self, code: str) -> Profile:
        return profile_of(self.chip, code)


__all__ = ["LoihiBackend", "LoihiEmulator", "LoihiLadderEmulator"]
