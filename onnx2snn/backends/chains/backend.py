"""What the backends of chips for chain networks share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel

from onnx2snn.artifact import Manifest, Network
from onnx2snn.backends.base import Backend, DesignRule, Footprint, Price, Simulator
from onnx2snn.backends.chains.footprint import footprint_of, in_words
from onnx2snn.backends.chains.on_chip import OnChip
from onnx2snn.backends.chains.partition import (
    Cores,
    Profile,
    differences,
    partition,
    read_cores,
    record_of,
    write_cores,
)
from onnx2snn.errors import BackendError, Onnx2SnnError
from onnx2snn.ir.ops import Neuron
from onnx2snn.passes import STAIRCASES, FoldMoves, FoldSumpool
from onnx2snn.passes.base import Recipe


class ChainBackend(Backend):
    """Chains of populations in whole numbers, no pooling on the chip.

    A subclass says how each code lies on its chip (`on_chip`) and what its cores hold (`profile`). Where no code is
    asked for, `ladder` is taken where it fits: it is exact and takes a sample in every tick.
    """

    codes: ClassVar[tuple[str, ...]] = ("ladder", "if")
    chooses: ClassVar[tuple[str, ...]] = codes
    settles: ClassVar[bool] = False
    arithmetic: ClassVar[tuple[Literal["integer", "float"], ...]] = ("integer",)

    @abstractmethod
    def on_chip(self, code: str) -> OnChip:
        """A code on the chip."""

    @abstractmethod
    def profile(self, code: str) -> Profile:
        """The chip that networks of a code are placed on."""

    def staircases(self) -> Recipe:
        return (*STAIRCASES, FoldSumpool(), FoldMoves())

    def neurons(self, code: str, steps: int, integer: bool) -> Recipe:
        return self.on_chip(code).neurons(steps)

    def design_rules(self) -> tuple[DesignRule, ...]:
        return (*self.rules, self.every_layer_fits_cores)

    def every_layer_fits_cores(self, network: Network) -> Iterable[str]:
        """A layer is cut until its parts fit; one whose single neurons do not fit cannot be placed."""
        blocks = self.on_chip(network.code).blocks(network) if network.code in self.codes else None
        if blocks is not None:
            try:
                partition(blocks, self.profile(network.code))
            except BackendError as error:
                yield str(error)

    def price(self, network: Network) -> Price:
        cores = self._cores(network)
        return Price(cores.chips, in_words(cores))

    def emit(self, network: Network, folder: Path) -> None:
        self.on_chip(network.code).write(network, folder)
        write_cores(folder, self._cores(network))

    def audit(self, network: Network, folder: Path) -> list[str]:
        return [*self.on_chip(network.code).audit(network, folder), *self._misplaced(network, folder)]

    def pipeline_steps(self, network: Network) -> int:
        """A tick from each population to the layer behind it."""
        return len(network.graph.of(Neuron))

    def footprint(self, folder: Path) -> Footprint:
        return footprint_of(read_cores(folder))

    def formats(self) -> dict[str, type[BaseModel]]:
        tables = {f"tables.json ({code})": self.on_chip(code).tables for code in self.codes}
        return {**tables, "cores.json": Cores}

    def simulator(self, folder: Path, manifest: Manifest) -> Simulator:
        return self.on_chip(manifest.code).emulator(folder)

    def _cores(self, network: Network) -> Cores:
        blocks = self.on_chip(network.code).blocks(network)
        if blocks is None:
            raise BackendError(f"backend {self.name}: a network that keeps its design rules expected")
        return record_of(partition(blocks, self.profile(network.code)), network.neurons)

    def _misplaced(self, network: Network, folder: Path) -> list[str]:
        try:
            return differences(read_cores(folder), self._cores(network))
        except Onnx2SnnError as error:
            return [str(error)]
