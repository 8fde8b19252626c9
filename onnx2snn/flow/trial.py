"""An artifact tried on batches of samples, everything that is counted of each in whole numbers that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.flow.opening import Artifact
from onnx2snn.ir import Array
from onnx2snn.metrics import Answers, Counters, Exits, FanOut, Tally, merged
from onnx2snn.reference import Run, Watch


@dataclass(frozen=True)
class Part:
    """What came of a batch, or of several.

    outputs: (batch, ...) each.  steps: latency.  fired: spikes by population, (1,) each.  counters: of the watches.
    """

    outputs: tuple[Array, ...]
    steps: int
    fired: Counters
    counters: Counters


def joined_parts(parts: Sequence[Part]) -> Part:
    """Parts of consecutive samples as one."""
    return Part(
        tuple(np.concatenate(arrays) for arrays in zip(*(part.outputs for part in parts), strict=True)),
        max(part.steps for part in parts),
        merged(part.fired for part in parts),
        merged(part.counters for part in parts),
    )


class Trial:
    """Runs batches on an artifact's simulator.

    watched: whether it tells what happens at each tick (the NumPy simulator does; emulators of chips do not).
    """

    def __init__(self, artifact: Artifact, exits: Exits) -> None:
        self.graph, self.exits = artifact.graph(), exits
        self.steps = artifact.manifest.steps
        self.simulator = artifact.simulator()
        self.tally = Tally(self.graph) if isinstance(self.simulator, NumpySimulator) else None
        self.watched = self.tally is not None
        self.answers = self.watched and Answers.fit(self.graph)

    @property
    def fans(self) -> dict[str, FanOut]:
        """Fan-out by source, where it is counted."""
        return {} if self.tally is None else self.tally.fans

    def run(self, x: Array, y: Array | None = None) -> Part:
        """Runs a batch (batch, *input shape) with its labels (batch,)."""
        watches = self._watches(y)
        if isinstance(self.simulator, NumpySimulator):
            run = self.simulator.run(x, watch=Together(watches))
        else:
            run = self.simulator.run(x)
        fired = {name: np.array([count], np.int64) for name, count in run.spikes.items()}
        return Part(run.outputs, run.steps, fired, merged(watch.counters for watch in watches))

    def _watches(self, y: Array | None) -> list[Tally | Answers]:
        if self.tally is None:
            return []
        self.tally.counters = {}
        return [self.tally, *([Answers(self.graph, self.steps, y, self.exits)] if self.answers else [])]


class Together:
    """Several watches as one."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self.watches = watches

    def begin(self, sample: int, x: Array) -> None:
        for watch in self.watches:
            watch.begin(sample, x)

    def spikes(self, name: str, tick: int, train: Array) -> None:
        for watch in self.watches:
            watch.spikes(name, tick, train)

    def readout(self, name: str, tick: int, sums: Array) -> None:
        for watch in self.watches:
            watch.readout(name, tick, sums)

    def advanced(self, tick: int, stop: int) -> None:
        for watch in self.watches:
            watch.advanced(tick, stop)

    def end(self, run: Run) -> None:
        for watch in self.watches:
            watch.end(run)
