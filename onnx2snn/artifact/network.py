"""A converted network: what every backend takes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from onnx2snn.analysis.certificate import Certificate
from onnx2snn.artifact.fine_tuning import FineTuning
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Encoder, Input, Neuron
from onnx2snn.reference import inputs_of, sample_shape

BLOCK = 1 << 22  #: bytes of a file hashed at a time: between two, a thread that hashes waits for the interpreter's lock


@dataclass(frozen=True)
class Schedule:
    """How a network is run: inject steps, then settle steps (None: until it is silent).

    calibrate: steps of a run before it that finds the initial membranes of each sample (see
    `onnx2snn.backends.numpy.offset_spikes`); 0: none. They count as latency.
    """

    steps: int
    settle: int | None = None
    calibrate: int = 0


@dataclass(frozen=True)
class Source:
    """The model file that a network was made from."""

    file: str
    sha256: str

    @staticmethod
    def of(path: Path) -> Source:
        """Name and hash of a file."""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return Source(path.name, digest.hexdigest())


@dataclass(frozen=True)
class Network:
    """A spiking graph with its schedule, its certificate and where it came from.

    staircase_passes and neuron_passes: the text of the recipes, so that verification can follow them again.
    fine_tuning: what was changed after them, if anything was.
    choice: why it is of this code, where the backend chose.
    reading: how the model file was read where it leaves a choice (NIR), "" where it leaves none.
    """

    graph: Graph
    schedule: Schedule
    code: str
    integer: bool
    source: Source
    staircase_passes: str
    neuron_passes: str
    certificate: Certificate
    command: str = ""
    notes: tuple[str, ...] = field(default=())
    fine_tuning: FineTuning | None = None
    choice: str = ""
    reading: str = ""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample: of its input, or of all its inputs flattened side by side."""
        return sample_shape(self.graph)

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input by the model's own name."""
        return inputs_of(self.graph)

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of each output by the model's own name, in the model's order."""
        found: dict[str, tuple[int, ...]] = {}
        for output in self.graph.outputs:
            name = self.graph[output].origin.tensor or output
            found[name if name not in found else output] = self.graph.shape(output)
        return found

    @property
    def analog_input(self) -> bool:
        """Whether the first synapse is real-valued because the model does not quantise its input."""
        readers = [reader for node in self.graph.of(Input) for reader in self.graph.consumers(node.name)]
        return not all(isinstance(reader.op, Encoder) for reader in readers)

    @property
    def neurons(self) -> tuple[str, ...]:
        """Names of the neuron populations in topological order."""
        return tuple(node.name for node in self.graph.of(Neuron))
