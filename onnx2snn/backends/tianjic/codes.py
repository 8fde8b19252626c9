"""The codes that run on TianjicX."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import ClassVar, final

from onnx2snn.artifact import Network
from onnx2snn.backends.chains import (
    OnChip,
    Record,
    audit,
    audit_ladder,
    chain_if_sound,
    chain_of,
    ladder_if_sound,
    ladder_of,
)
from onnx2snn.backends.chains.partition import Block
from onnx2snn.backends.tianjic.cores import blocks_of, ladder_blocks_of
from onnx2snn.backends.tianjic.decode import decode
from onnx2snn.backends.tianjic.emulator import TianjicEmulator
from onnx2snn.backends.tianjic.fit import FitTianjic
from onnx2snn.backends.tianjic.ladder import LADDER_LIMITS, TianjicLadderEmulator, decode_ladder, write_ladder
from onnx2snn.backends.tianjic.ladder.schema import TianjicLadderTables
from onnx2snn.backends.tianjic.rules import LIMITS
from onnx2snn.backends.tianjic.schema import TianjicTables
from onnx2snn.backends.tianjic.tables import write
from onnx2snn.passes import MakeInteger, MapNeurons
from onnx2snn.passes.base import Recipe


@final
class TianjicIf(OnChip):
    """Integrate-and-fire with soft reset; the host writes what the first layer's somas read."""

    tables: ClassVar[type[Record]] = TianjicTables

    def neurons(self, steps: int) -> Recipe:
        return (MapNeurons(code="if", steps=steps), FitTianjic(steps=steps))

    def blocks(self, network: Network) -> tuple[Block, ...] | None:
        chain = chain_if_sound(network)
        return None if chain is None else blocks_of(chain)

    def write(self, network: Network, folder: Path) -> None:
        write(chain_of(network.graph), network.schedule.steps, folder)

    def audit(self, network: Network, folder: Path) -> list[str]:
        return audit(network, partial(decode, folder))

    def emulator(self, folder: Path) -> TianjicEmulator:
        return TianjicEmulator(folder)


@final
class TianjicLadder(OnChip):
    """Somas without memory, a call of P08 for each unit; counts are gathered and sent as int8."""

    tables: ClassVar[type[Record]] = TianjicLadderTables

    def neurons(self, steps: int) -> Recipe:
        return (MapNeurons(code="ladder", steps=steps), MakeInteger(steps=steps))

    def blocks(self, network: Network) -> tuple[Block, ...] | None:
        chain = ladder_if_sound(network)
        return None if chain is None else ladder_blocks_of(chain)

    def write(self, network: Network, folder: Path) -> None:
        write_ladder(ladder_of(network.graph), folder)

    def audit(self, network: Network, folder: Path) -> list[str]:
        return audit_ladder(network, partial(decode_ladder, folder, (*LIMITS, *LADDER_LIMITS)))

    def emulator(self, folder: Path) -> TianjicLadderEmulator:
        return TianjicLadderEmulator(folder)
