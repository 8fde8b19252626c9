"""Running a chain tick by tick: every layer one tick behind the layer before it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Protocol

import numpy as np

from onnx2snn.backends.chains.host import Drive
from onnx2snn.errors import DataError
from onnx2snn.ir import Array, Shape
from onnx2snn.reference import Run, in_chunks

CHUNK_BYTES = 16 << 20  #: for 8 bytes a neuron: what is worked on stays in the cache
Progress = Callable[[int], None]


class Stage(Protocol):
    """One layer of the chip with the state of every sample in a chunk."""

    def tick(self, arriving: Array | None) -> Array:
        """One tick: spikes (batch, sources) of the tick before (None: the host's bias) to spikes (batch, neurons)."""
        ...


class ChainEmulator(ABC):
    """What the emulators share: host part, chunks of samples, the pipeline and its counts.

    populations: name and shape of each, in order.  steps: ticks that each layer runs.  chunk: samples at a time.
    """

    def __init__(self, drive: Drive, populations: Sequence[tuple[str, Shape]], steps: int) -> None:
        self.drive, self.populations, self.steps = drive, tuple(populations), steps
        self.chunk = chunk_of(shape for _, shape in populations)

    @property
    def ticks(self) -> int:
        """Ticks from the first of the first population to the last of the readout, one layer of latency each."""
        return self.steps + len(self.populations)

    @abstractmethod
    def stages(self, share: Array, rest: Array) -> list[Stage]:
        """All layers at rest, the readout last; share, rest: what the host writes, both int64 (batch, neurons).

        Samples lie side by side in memory, as in what `Connections` adds up.
        """

    @abstractmethod
    def output(self, readout: Stage) -> Array:
        """The network's output (batch, *features) in the units of the model, from the readout's state."""

    def run(self, x: Array, progress: Progress | None = None) -> Run:
        """Emulates `x` (batch, *input shape); `progress` is called with the number of samples done so far."""
        check_samples(x, self.drive.input_shape)
        return in_chunks(x, self.chunk, self._run, progress)

    def _run(self, x: Array) -> Run:
        stages = self.stages(*map(np.asfortranarray, self.drive.split(x, self.steps)))
        totals = pipeline(stages, self.steps)
        named = zip(self.populations, totals, strict=True)
        counts = {name: total.reshape(len(x), *shape) for (name, shape), total in named}
        spikes = {name: int(total.sum()) for name, total in counts.items()}
        return Run((self.output(stages[-1]),), self.ticks, counts, spikes)


def chunk_of(shapes: Iterable[Shape]) -> int:
    """Samples at a time for populations of such shapes."""
    return max(1, CHUNK_BYTES // (8 * sum(prod(shape) for shape in shapes)))


def check_samples(x: Array, shape: Shape) -> None:
    """Raises `DataError` where `x` is not (batch, *shape)."""
    if x.shape[1:] != shape:
        raise DataError(f"samples {shape} expected, found {x.shape[1:]}")


def pipeline(stages: Sequence[Stage], steps: int) -> list[Array]:
    """Runs layer l over ticks l ... l + steps - 1 and returns the spikes of every population, int64 (batch, neurons).

    A layer reads what the layer before it sent in the tick before; outside its ticks it stands still.
    """
    sent: list[Array | None] = [None] * len(stages)
    totals: list[Array] = []
    for tick in range(steps + len(stages) - 1):
        for layer in reversed(range(len(stages))):  # backwards, so that each sees the tick before
            if layer <= tick < layer + steps:
                spikes = sent[layer] = stages[layer].tick(sent[layer - 1] if layer else None)
                if layer == tick < len(stages) - 1:
                    totals.append(spikes.astype(np.int32))
                elif layer < len(stages) - 1:
                    totals[layer] += spikes
    return [total.astype(np.int64, order="C") for total in totals]
