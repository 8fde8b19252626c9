"""What the backends of chips for chain networks share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from onnx2snn.artifact import Manifest, Network
from onnx2snn.backends.base import Backend, DesignRule, Footprint
from onnx2snn.backends.chains.compare import Decoded, audit
from onnx2snn.backends.chains.emulator import ChainEmulator
from onnx2snn.backends.chains.fit_grid import FitGrid
from onnx2snn.backends.chains.footprint import footprint_of
from onnx2snn.backends.chains.layers import Chain
from onnx2snn.backends.chains.partition import (
    Block,
    Cores,
    Profile,
    differences,
    partition,
    read_cores,
    record_of,
    write_cores,
)
from onnx2snn.backends.chains.rules import chain_if_sound
from onnx2snn.backends.chains.walk import chain_of
from onnx2snn.errors import BackendError, Onnx2SnnError
from onnx2snn.passes import STAIRCASES, FoldMoves, FoldSumpool, MapNeurons
from onnx2snn.passes.base import Recipe


class ChainBackend(Backend):
    """Unsigned integrate-and-fire in whole numbers, no pooling on the chip.

    A subclass gives its chip's grids (`fit`) and cores (`profile`, `blocks`), writes and reads tables, and emulates
    them.
    """

    codes: ClassVar[tuple[str, ...]] = ("if",)
    arithmetic: ClassVar[tuple[Literal["integer", "float"], ...]] = ("integer",)
    fit: ClassVar[type[FitGrid]]

    @property
    @abstractmethod
    def profile(self) -> Profile:
        """The chip that networks are placed on."""

    @abstractmethod
    def blocks(self, chain: Chain) -> tuple[Block, ...]:
        """The layers of a chain as they lie on its cores."""

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

    def design_rules(self) -> tuple[DesignRule, ...]:
        return (*self.rules, self.every_layer_fits_cores)

    def every_layer_fits_cores(self, network: Network) -> Iterable[str]:
        """A layer is cut until its parts fit; one whose single neurons do not fit cannot be placed."""
        chain = chain_if_sound(network)
        if chain is not None:
            try:
                partition(self.blocks(chain), self.profile)
            except BackendError as error:
                yield str(error)

    def emit(self, network: Network, folder: Path) -> None:
        chain = chain_of(network.graph)
        self.write(chain, network.schedule.steps, folder)
        write_cores(folder, self._cores(chain))

    def audit(self, network: Network, folder: Path) -> list[str]:
        return [*audit(network, partial(self.read, folder)), *self._misplaced(network, folder)]

    def pipeline_steps(self, network: Network) -> int:
        """A tick from each population to the layer behind it."""
        return len(chain_of(network.graph).populations)

    def footprint(self, folder: Path) -> Footprint:
        return footprint_of(read_cores(folder))

    def simulator(self, folder: Path, manifest: Manifest) -> ChainEmulator:
        return self.emulator(folder)

    def _cores(self, chain: Chain) -> Cores:
        return record_of(partition(self.blocks(chain), self.profile))

    def _misplaced(self, network: Network, folder: Path) -> list[str]:
        try:
            return differences(read_cores(folder), self._cores(chain_of(network.graph)))
        except Onnx2SnnError as error:
            return [str(error)]
