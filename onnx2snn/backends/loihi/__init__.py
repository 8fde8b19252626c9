"""The `loihi` backend: integer tables for Loihi, and an emulator of its integer update."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.chains import Chain, ChainBackend, Decoded, FitGrid
from onnx2snn.backends.loihi.decode import decode
from onnx2snn.backends.loihi.emulator import LoihiEmulator
from onnx2snn.backends.loihi.fit import FitLoihi
from onnx2snn.backends.loihi.rules import RULES
from onnx2snn.backends.loihi.tables import write


@final
class LoihiBackend(ChainBackend):
    """Two compartments a neuron for the soft reset; the host writes the first layer's biases."""

    name: ClassVar[str] = "loihi"
    summary: ClassVar[str] = "integer tables for Loihi and an emulator of its integer update"
    rules: ClassVar[tuple[DesignRule, ...]] = RULES
    fit: ClassVar[type[FitGrid]] = FitLoihi

    def write(self, chain: Chain, steps: int, folder: Path) -> None:
        write(chain, steps, folder)

    def read(self, folder: Path) -> Decoded:
        return decode(folder)

    def emulator(self, folder: Path) -> LoihiEmulator:
        return LoihiEmulator(folder)


__all__ = ["LoihiBackend", "LoihiEmulator"]
