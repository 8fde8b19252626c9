"""The `tianjic` backend: integer tables for TianjicX, and an emulator of its integer update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final, get_args

from onnx2snn.backends.base import DesignRule, one_of
from onnx2snn.backends.chains import ChainBackend, OnChip
from onnx2snn.backends.chains.partition import Profile
from onnx2snn.backends.tianjic.codes import TianjicIf, TianjicLadder
from onnx2snn.backends.tianjic.cores import Chip, Tianjic2019, TianjicX
from onnx2snn.backends.tianjic.emulator import TianjicEmulator
from onnx2snn.backends.tianjic.ladder import TianjicLadderEmulator
from onnx2snn.backends.tianjic.rules import RULES
from onnx2snn.errors import UsageError


@final
@dataclass(frozen=True)
class TianjicBackend(ChainBackend):
    """Dense and convolution primitives with LIF+ somas: without memory (code `ladder`) or with soft reset (`if`).

    chip: whose cores the network is placed on; `tianjic2019` is a model of resources alone, and weight_bits and
    state_bytes are its unknown widths. The tables are TianjicX's in either case.
    """

    name: ClassVar[str] = "tianjic"
    summary: ClassVar[str] = "integer tables for TianjicX and an emulator of its integer update"
    rules: ClassVar[tuple[DesignRule, ...]] = RULES
    chip: Chip = "tianjicx"
    weight_bits: int = 8
    state_bytes: int = 4

    def __post_init__(self) -> None:
        one_of("chip", self.chip, get_args(Chip))
        if self.chip == "tianjicx" and (self.weight_bits, self.state_bytes) != (8, 4):
            raise UsageError("weight_bits and state_bytes are for chip tianjic2019; TianjicX's are known")
        if not (1 <= self.weight_bits <= 32 and 0 <= self.state_bytes <= 64):
            found = f"weight_bits {self.weight_bits}, state_bytes {self.state_bytes}"
            raise UsageError(f"weight_bits from 1 to 32 and state_bytes from 0 to 64 expected, found {found}")

    def on_chip(self, code: str) -> OnChip:
        return TianjicLadder() if code == "ladder" else TianjicIf()

    def profile(self, code: str) -> Profile:
        ladder = code == "ladder"
        return TianjicX(ladder) if self.chip == "tianjicx" else Tianjic2019(self.weight_bits, self.state_bytes, ladder)


__all__ = ["TianjicBackend", "TianjicEmulator", "TianjicLadderEmulator"]
