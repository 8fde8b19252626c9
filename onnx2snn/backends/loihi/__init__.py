"""The `loihi` backend: integer tables for Loihi, and an emulator of its integer update."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final, get_args

from onnx2snn.backends.base import DesignRule, one_of
from onnx2snn.backends.chains import Chain, ChainBackend, Decoded, FitGrid
from onnx2snn.backends.chains.partition import Block, Profile
from onnx2snn.backends.loihi.chip import Chip
from onnx2snn.backends.loihi.cores import PROFILES, blocks_of
from onnx2snn.backends.loihi.decode import decode
from onnx2snn.backends.loihi.emulator import LoihiEmulator
from onnx2snn.backends.loihi.fit import FitLoihi
from onnx2snn.backends.loihi.rules import RULES
from onnx2snn.backends.loihi.tables import write


@final
@dataclass(frozen=True)
class LoihiBackend(ChainBackend):
    """Integrate-and-fire with soft reset; the host writes the first layer's biases.

    chip: `loihi1` takes two compartments a neuron, `loihi2` one with custom microcode.
    """

    name: ClassVar[str] = "loihi"
    summary: ClassVar[str] = "integer tables for Loihi and an emulator of its integer update"
    rules: ClassVar[tuple[DesignRule, ...]] = RULES
    fit: ClassVar[type[FitGrid]] = FitLoihi
    chip: Chip = "loihi1"

    def __post_init__(self) -> None:
        one_of("chip", self.chip, get_args(Chip))

    @property
    def profile(self) -> Profile:
        return PROFILES[self.chip]

    def blocks(self, chain: Chain) -> tuple[Block, ...]:
        return blocks_of(chain, self.chip)

    def write(self, chain: Chain, steps: int, folder: Path) -> None:
        write(chain, steps, folder, self.chip)

    def read(self, folder: Path) -> Decoded:
        return decode(folder)

    def emulator(self, folder: Path) -> LoihiEmulator:
        return LoihiEmulator(folder)


__all__ = ["LoihiBackend", "LoihiEmulator"]
