"""A code on a chip: what a network of it becomes there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from onnx2snn.artifact import Network
from onnx2snn.backends.base import Simulator
from onnx2snn.backends.chains.partition import Block
from onnx2snn.backends.chains.tables import Record
from onnx2snn.passes.base import Recipe


class OnChip(ABC):
    """One code on one chip; networks keep all design rules where nothing else is said."""

    tables: ClassVar[type[Record]]  #: the schema of `tables.json`

    @abstractmethod
    def neurons(self, steps: int) -> Recipe:
        """Passes from the graph of staircases to the graph of synapses and neurons."""

    @abstractmethod
    def blocks(self, network: Network) -> tuple[Block, ...] | None:
        """The layers as they lie on cores; None where a rule about the structure of a network is broken."""

    @abstractmethod
    def write(self, network: Network, folder: Path) -> None:
        """Writes `tables.json` and `tables.safetensors`."""

    @abstractmethod
    def audit(self, network: Network, folder: Path) -> list[str]:
        """What the tables in `folder` say otherwise than the network."""

    @abstractmethod
    def emulator(self, folder: Path) -> Simulator:
        """What runs the tables in `folder`."""
