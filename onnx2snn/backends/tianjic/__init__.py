"""The `tianjic` backend: integer tables for TianjicX, and an emulator of its integer update."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.chains import Chain, ChainBackend, Decoded, FitGrid
from onnx2snn.backends.tianjic.decode import decode
from onnx2snn.backends.tianjic.emulator import TianjicEmulator
from onnx2snn.backends.tianjic.fit import FitTianjic
from onnx2snn.backends.tianjic.rules import RULES
from onnx2snn.backends.tianjic.tables import write


@final
class TianjicBackend(ChainBackend):
    """Dense and convolution primitives with LIF+ somas; the host writes what the first layer's somas read."""

    name: ClassVar[str] = "tianjic"
    summary: ClassVar[str] = "integer tables for TianjicX and an emulator of its integer update"
    rules: ClassVar[tuple[DesignRule, ...]] = RULES
    fit: ClassVar[type[FitGrid]] = FitTianjic

    def write(self, chain: Chain, steps: int, folder: Path) -> None:
        write(chain, steps, folder)

    def read(self, folder: Path) -> Decoded:
        return decode(folder)

    def emulator(self, folder: Path) -> TianjicEmulator:
        return TianjicEmulator(folder)


__all__ = ["TianjicBackend", "TianjicEmulator"]
