"""Running a chain of code `ladder`: layer after layer, the samples of a batch as successive ticks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from onnx2snn.backends.chains.emulator import Progress, check_samples, chunk_of
from onnx2snn.backends.chains.ladder.host import Comparators
from onnx2snn.ir import Array, Shape
from onnx2snn.reference import Run, in_chunks


class UnitStage(Protocol):
    """One population on the chip."""

    def fire(self, passing: Array) -> Array:
        """Passing units of each neuron for those of the layer before it one tick earlier.

        Whole numbers (ticks, neurons); ticks lie side by side in memory, as in what `Connections` adds up.
        """
        ...


@dataclass(frozen=True)
class LadderReadout:
    """What the host makes of the last layer's sums: value * (sum + constant) + offset, one entry an output.

    sums: from passing units (ticks, sources) to sums (ticks, outputs).
    """

    shape: Shape
    value: Array
    constant: Array
    offset: Array
    sums: Callable[[Array], Array]

    def output(self, passing: Array) -> Array:
        """The network's output (ticks, *features) in the units of the model."""
        total = self.value * (self.sums(passing) + self.constant) + self.offset
        return total.reshape(len(total), *self.shape)


class LadderEmulator:
    """Takes a new sample in every tick; layers are worked through one after the other, which comes to the same.

    populations: name, shape and lowest count of each, the host's first.
    """

    def __init__(
        self,
        host: Comparators,
        stages: Sequence[UnitStage],
        readout: LadderReadout,
        populations: Sequence[tuple[str, Shape, int]],
    ) -> None:
        self.host, self.stages, self.readout = host, tuple(stages), readout
        self.populations = tuple(populations)
        self.chunk = chunk_of(shape for _, shape, _ in populations)

    @property
    def ticks(self) -> int:
        """Ticks from a sample's spikes on the host to its sums at the readout."""
        return 1 + len(self.populations)

    def run(self, x: Array, progress: Progress | None = None) -> Run:
        """Emulates `x` (batch, *input shape); `progress` is called with the number of samples done so far.

        counts: lo + passing units.  spikes: of passing units, which are all that the chip sends.
        """
        check_samples(x, self.host.input_shape)
        return in_chunks(x, self.chunk, self._run, progress)

    def _run(self, x: Array) -> Run:
        passing = [np.asfortranarray(self.host.passing(x))]
        for stage in self.stages:
            passing.append(stage.fire(passing[-1]))
        named = list(zip(self.populations, passing, strict=True))
        counts = {
            name: lo + units.astype(np.int64, order="C").reshape(len(x), *shape) for (name, shape, lo), units in named
        }
        spikes = {name: int(units.sum(dtype=np.int64)) for (name, _, _), units in named}
        return Run((self.readout.output(passing[-1]),), self.ticks, counts, spikes)
