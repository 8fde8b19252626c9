"""What the backends of chips for chain networks share."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from onnx2snn.artifact import Manifest, Network
from onnx2snn.backends.base import Backend
from onnx2snn.backends.chains.compare import Decoded, audit
from onnx2snn.backends.chains.emulator import ChainEmulator
from onnx2snn.backends.chains.fit_grid import FitGrid
from onnx2snn.backends.chains.layers import Chain
from onnx2snn.backends.chains.walk import chain_of
from onnx2snn.passes import STAIRCASES, FoldMoves, FoldSumpool, MapNeurons
from onnx2snn.passes.base import Recipe


class ChainBackend(Backend):
    """Unsigned integrate-and-fire in whole numbers, no pooling on the chip.

    A subclass gives its chip's grids (`fit`), writes and reads tables, and emulates them.
    """

    codes: ClassVar[tuple[str, ...]] = ("if",)
    arithmetic: ClassVar[tuple[Literal["integer", "float"], ...]] = ("integer",)
    fit: ClassVar[type[FitGrid]]

    @abstractmethod
    def write(self, chain: Chain, steps: int, folder: Path) -> None:
        """Writes `tables.json` and `tables.safetensors` of a chain that keeps all design rules."""

    @abstractmethod
    def read(self, folder: Path) -> Decoded:
        """The network that the tables in `folder` tell."""

    @abstractmethod
    def emulator(self, folder: Path) -> ChainEmulator:
        """What runs the tables in `folder`."""

    def staircases(self) -> Recipe:
        return (*STAIRCASES, FoldSumpool(), FoldMoves())

    def neurons(self, code: str, steps: int, integer: bool) -> Recipe:
        return (MapNeurons(code=code, steps=steps), self.fit(steps=steps))

    def emit(self, network: Network, folder: Path) -> None:
        self.write(chain_of(network.graph), network.schedule.steps, folder)

    def audit(self, network: Network, folder: Path) -> list[str]:
        return audit(network, partial(self.read, folder))

    def simulator(self, folder: Path, manifest: Manifest) -> ChainEmulator:
        return self.emulator(folder)
