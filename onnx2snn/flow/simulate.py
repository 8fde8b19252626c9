"""Running an artifact on samples: outputs, accuracy, latency and firing rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError
from onnx2snn.flow.data import Samples, read_samples, write_results
from onnx2snn.flow.opening import Artifact, open_artifact
from onnx2snn.ir import Array
from onnx2snn.reference import Run, joined

BATCH = 256
Progress = Callable[[int, int], None]  #: samples done, samples in all


@dataclass(frozen=True)
class LayerActivity:
    """Spikes of one population: of either sign, and per neuron and step (the firing rate)."""

    name: str
    neurons: int
    spikes: int
    rate: float


@dataclass(frozen=True)
class Simulation:
    """What `simulate` reports. steps: from the first inject step to the last spike, settle steps included."""

    samples: int
    steps: int
    inject_steps: int
    accuracy: float | None
    layers: tuple[LayerActivity, ...]
    run: Run


def simulate(
    folder: str | Path, data: str | Path, save: str | Path | None = None, progress: Progress | None = None
) -> Simulation:
    """Runs an artifact on a data file and, if asked, writes `output` and `steps` to another.

    progress(done, total) is called after each batch. Raises `ArtifactError`, `DataError` or `BackendError`.
    """
    artifact = open_artifact(Path(folder))
    simulator = artifact.simulator()
    samples = read_samples(Path(data), artifact.manifest.input_shape)
    run = run_batches(simulator.run, samples.x, progress)
    if save is not None:
        write_results(Path(save), output=run.output.astype(np.float32), steps=np.int64(run.steps))
    return summary(artifact, samples, run)


def run_batches(run: Callable[[Array], Run], x: Array, progress: Progress | None = None) -> Run:
    """Runs samples batch by batch and joins the results."""
    runs: list[Run] = []
    for start in range(0, len(x), BATCH):
        runs.append(run(x[start : start + BATCH]))
        if progress is not None:
            progress(min(start + BATCH, len(x)), len(x))
    return joined(runs)


def summary(artifact: Artifact, samples: Samples, run: Run) -> Simulation:
    """Accuracy and activity of a run."""
    layers = tuple(_activity(name, counts, run) for name, counts in run.counts.items())
    accuracy = None if samples.y is None else accuracy_of(run.output, samples.y)
    return Simulation(len(samples.x), run.steps, artifact.manifest.steps, accuracy, layers, run)


def accuracy_of(output: Array, labels: Array) -> float:
    """Share of samples whose largest output is the label's."""
    if output.ndim != 2:
        raise DataError(f"y: labels go with an output (N, classes), found {output.shape}")
    return float((output.argmax(axis=1) == labels).mean())


def _activity(name: str, counts: Array, run: Run) -> LayerActivity:
    neurons = int(np.prod(counts.shape[1:]))
    rate = run.spikes[name] / max(1, counts.size * run.steps)
    return LayerActivity(name, neurons, run.spikes[name], rate)
