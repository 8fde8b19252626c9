"""What chosen neurons did with one sample: by the reference where that is quick enough, else by the NumPy simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from onnx2snn.artifact import Schedule
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.ir import Array, Graph
from onnx2snn.metrics import fan_out
from onnx2snn.reference import Run, trace

MOST_WORK = 40e9  #: multiplications that the reference, slow and clear, is asked for: a minute or two


@dataclass(frozen=True)
class Behaviour:
    """run: of the whole network.  spikes, membranes, peaks: (ticks, neurons) by population; no membranes: not known."""

    run: Run
    spikes: Mapping[str, Array]
    membranes: Mapping[str, Array]
    peaks: Mapping[str, Array]


def behaviour(graph: Graph, x: Array, schedule: Schedule, shown: Mapping[str, Array], steps: int) -> Behaviour:
    """Runs one sample `x` (1, *input shape), which takes `steps` ticks.  shown: flat indices of neurons to follow."""
    work = steps * sum(int(fan.macs.sum()) for fan in fan_out(graph).values())
    if work <= MOST_WORK:
        found = trace(graph, x, schedule.steps, schedule.settle, shown)
        return Behaviour(found.run, found.spikes, found.membranes, found.peaks)
    trains = _Trains(shown)
    run = NumpySimulator(graph, schedule.steps, schedule.settle).run(x, watch=trains)
    return Behaviour(run, {name: trains.whole(name, run.steps) for name in shown}, {}, {})


@dataclass
class _Trains:
    """Keeps the spikes of the neurons shown (a `Watch`)."""

    shown: Mapping[str, Array]
    pieces: dict[str, list[tuple[int, Array]]] = field(default_factory=dict)

    def begin(self, sample: int, x: Array) -> None:
        """Nothing: there is one sample."""

    def spikes(self, name: str, tick: int, train: Array) -> None:
        if name in self.shown:
            flat = train[:, 0].reshape(len(train), -1)
            self.pieces.setdefault(name, []).append((tick, flat[:, self.shown[name]].astype(np.int64)))

    def readout(self, name: str, tick: int, sums: Array) -> None:
        """Nothing."""

    def advanced(self, tick: int, stop: int) -> None:
        """Nothing."""

    def end(self, run: Run) -> None:
        """Nothing."""

    def whole(self, name: str, steps: int) -> Array:
        """All ticks of a population, (steps, neurons)."""
        found = np.zeros((steps, len(self.shown[name])), np.int64)
        for tick, piece in self.pieces.get(name, []):
            found[tick : tick + len(piece)] = piece[: max(0, steps - tick)]
        return found
