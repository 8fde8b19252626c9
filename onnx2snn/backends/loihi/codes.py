"""The codes that run on Loihi."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, final

from onnx2snn.artifact import Network
from onnx2snn.backends.chains import (
    OnChip,
    Record,
    audit,
    audit_ladder,
    chain_if_sound,
    ladder_if_sound,
    ladder_of,
)
from onnx2snn.backends.chains.partition import Block
from onnx2snn.backends.loihi.chip import Chip
from onnx2snn.backends.loihi.cores import blocks_of, ladder_blocks_of
from onnx2snn.backends.loihi.decode import decode
from onnx2snn.backends.loihi.emulator import LoihiEmulator
from onnx2snn.backends.loihi.fit import FitLoihi
from onnx2snn.backends.loihi.ladder import LADDER_LIMITS, LoihiLadderEmulator, decode_ladder, write_ladder
from onnx2snn.backends.loihi.ladder.schema import LoihiLadderTables
from onnx2snn.backends.loihi.leaks import chip_chain, chip_chain_of
from onnx2snn.backends.loihi.rules import LIMITS, leaks_count_in_registers
from onnx2snn.backends.loihi.schema import LoihiTables
from onnx2snn.backends.loihi.tables import write
from onnx2snn.passes import MakeInteger, MapNeurons
from onnx2snn.passes.base import Recipe


@final
@dataclass(frozen=True)
class LoihiIf(OnChip):
    """Integrate-and-fire, leaky in code `lif`; the host writes the first layer's biases."""

    tables: ClassVar[type[Record]] = LoihiTables
    chip: Chip
    code: Literal["if", "lif"] = "if"

    def neurons(self, steps: int) -> Recipe:
        fit = FitLoihi(steps=steps, timed=self.code == "lif", chip=self.chip)
        return (MapNeurons(code=self.code, steps=steps), fit)

    def blocks(self, network: Network) -> tuple[Block, ...] | None:
        chain = chain_if_sound(network)
        return None if chain is None else blocks_of(chip_chain(chain), self.chip)

    def write(self, network: Network, folder: Path) -> None:
        write(chip_chain_of(network.graph), network.schedule.steps, folder, self.chip)

    def audit(self, network: Network, folder: Path) -> list[str]:
        return [*leaks_count_in_registers(network), *audit(network, partial(decode, folder), chip_chain_of)]

    def emulator(self, folder: Path) -> LoihiEmulator:
        return LoihiEmulator(folder)


@final
@dataclass(frozen=True)
class LoihiLadder(OnChip):
    """Units without memory, breakpoints in their biases; the host sends the spikes of the first layer's units."""

    tables: ClassVar[type[Record]] = LoihiLadderTables
    chip: Chip

    def neurons(self, steps: int) -> Recipe:
        return (MapNeurons(code="ladder", steps=steps), MakeInteger(steps=steps))

    def blocks(self, network: Network) -> tuple[Block, ...] | None:
        chain = ladder_if_sound(network)
        return None if chain is None else ladder_blocks_of(chain, self.chip)

    def write(self, network: Network, folder: Path) -> None:
        write_ladder(ladder_of(network.graph), folder, self.chip)

    def audit(self, network: Network, folder: Path) -> list[str]:
        return audit_ladder(network, partial(decode_ladder, folder, (*LIMITS, *LADDER_LIMITS)))

    def emulator(self, folder: Path) -> LoihiLadderEmulator:
        return LoihiLadderEmulator(folder)
