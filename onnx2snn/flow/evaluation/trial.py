"""An artifact tried on batches of samples, everything that is counted of each in whole numbers that add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.errors import UsageError
from onnx2snn.flow.opening import Artifact
from onnx2snn.ir import Array, Graph
from onnx2snn.metrics import Answers, Counters, Exits, FanOut, Noise, Tally, merged
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

    def arrays(self) -> dict[str, Array]:
        """As it is kept on disk."""
        outputs = {f"output:{i}": output for i, output in enumerate(self.outputs)}
        fired = {f"fired:{name}": values for name, values in self.fired.items()}
        counters = {f"counter:{name}": values for name, values in self.counters.items()}
        return {"steps": np.asarray(self.steps), **outputs, **fired, **counters}

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Part:
        """What `arrays` gave; raises `KeyError` for anything else."""

        def named(prefix: str) -> Counters:
            return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}

        outputs = named("output:")
        kept = tuple(outputs[str(i)] for i in range(len(outputs)))
        return cls(kept, int(arrays["steps"]), named("fired:"), named("counter:"))


class Trial:
    """Runs batches on an artifact's simulator, with noise or without; `in_numpy`: on the NumPy simulator in any case.

    watched: whether it tells what happens at each tick (the NumPy simulator does; emulators of chips do not).
    """

    def __init__(self, artifact: Artifact, exits: Exits, noise: Noise, in_numpy: bool = False) -> None:
        self.graph, self.exits, self.noise = artifact.graph(), exits, noise
        self.schedule = artifact.manifest.schedule
        self.simulator = self._numpy(self.graph) if in_numpy else artifact.simulator()
        self.pipeline_steps = 0 if in_numpy else artifact.manifest.pipeline_steps
        self.tally = Tally(self.graph) if isinstance(self.simulator, NumpySimulator) else None
        self.watched = self.tally is not None
        self.answers = self.watched and Answers.fit(self.graph)
        self.repeat = 0
        if noise and not self.watched:
            raise UsageError(f"noise: {only_numpy(artifact.manifest.backend)}")
        if noise:
            self._disturb(0)

    @property
    def fans(self) -> dict[str, FanOut]:
        """Fan-out by source, where it is counted."""
        return {} if self.tally is None else self.tally.fans

    def steps_of_a_population(self, steps: int) -> int:
        """Steps in which each population computes, of a run of so many: all but a chip's way from layer to layer."""
        return steps - self.pipeline_steps

    def run(self, x: Array, y: Array | None = None, first: int = 0, repeat: int = 0) -> Part:
        """Runs a batch (batch, *input shape) with its labels (batch,); first: the number of its first sample."""
        watches = self._watches(y)
        if isinstance(self.simulator, NumpySimulator):
            if repeat != self.repeat:
                self._disturb(repeat)
            channel = self.noise.loss(self.graph, repeat, first)
            run = self.simulator.run(x, watch=Together(watches), channel=channel)
        else:
            run = self.simulator.run(x)
        fired = {name: np.array([count], np.int64) for name, count in run.spikes.items()}
        counters = merged(watch.counters for watch in watches)
        if y is not None:
            counters[f"right/{repeat}"] = np.atleast_1d((run.output.argmax(axis=1) == y).sum())
        return Part(run.outputs, run.steps, fired, counters)

    def _disturb(self, repeat: int) -> None:
        """Weights and thresholds of this repeat."""
        graph = self.noise.graph(self.graph, repeat)
        if repeat == 0 or graph is not self.graph:
            self.simulator = self._numpy(graph)
        self.repeat = repeat

    def _numpy(self, graph: Graph) -> NumpySimulator:
        schedule = self.schedule
        return NumpySimulator(graph, schedule.steps, schedule.settle, schedule.calibrate, lossy=self.noise.drop > 0)

    def _watches(self, y: Array | None) -> list[Tally | Answers]:
        if self.tally is None:
            return []
        self.tally.counters = {}
        return [self.tally, *([Answers(self.graph, self.schedule.steps, y, self.exits)] if self.answers else [])]


def only_numpy(backend: str) -> str:
    """What to do where an artifact's own simulator does not tell what happens at each tick."""
    return (
        f"the simulator of backend {backend} does not show single steps; run the network in the NumPy one (`in_numpy`)"
    )


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
