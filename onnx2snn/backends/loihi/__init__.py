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
from onnx2snn.backends.loihi.rules import RULES


@final
@dataclass(frozen=True)
class LoihiBackend(ChainBackend):
    """Code `ladder` in compartments without memory, or `if` with soft reset.

    chip: `loihi1`, or `loihi2` with custom microcode. There a neuron of code `if` takes one compartment instead of two,
    one of code `ladder` one instead of one a unit.
    """

    name: ClassVar[str] = "loihi"
    summary: ClassVar[str] = "integer tables for Loihi and an emulator of its integer update"
    rules: ClassVar[tuple[DesignRule, ...]] = RULES
    chip: Chip = "loihi1"

    def __post_init__(self) -> None:
        one_of("chip", self.chip, get_args(Chip))

    def on_chip(self, code: str) -> OnChip:
        return LoihiLadder(self.chip) if code == "ladder" else LoihiIf(self.chip)

    def profile(self, code: str) -> Profile:
        return profile_of(self.chip, code)


__all__ = ["LoihiBackend", "LoihiEmulator", "LoihiLadderEmulator"]
