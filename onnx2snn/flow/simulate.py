"""Running an artifact on samples: outputs, accuracy, latency and firing rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError
from onnx2snn.flow.batches import batch_size, batches
from onnx2snn.flow.data import Samples, check_results, read_samples, write_results
from onnx2snn.flow.opening import open_artifact
from onnx2snn.ir import Array, Graph
from onnx2snn.reference import Run, joined

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
    """What `simulate` reports.

    steps: from the first inject step to the last spike, settle steps included.  output: (N, ...), the readout after
    the last step, in the units of the model's output; the first of several.
    """

    samples: int
    steps: int
    inject_steps: int
    accuracy: float | None
    layers: tuple[LayerActivity, ...]
    output: Array


def simulate(
    folder: str | Path, data: str | Path, save: str | Path | None = None, progress: Progress | None = None
) -> Simulation:
    """Runs an artifact on a data file and, if asked, writes `output` and `steps` to another.

    progress(done, total) is called after each batch. Raises `ArtifactError`, `DataError` or `BackendError`.
    """
    if save is not None:
        check_results(Path(save), ("output", "steps"))
    artifact = open_artifact(Path(folder))
    graph, simulator = artifact.graph(), artifact.simulator()
    samples = read_samples(Path(data), artifact.manifest.inputs)
    runs: list[Run] = []
    done = 0
    for x in batches(samples.x, batch_size(graph)):
        runs.append(_light(simulator.run(x)))
        done += len(x)
        if progress is not None:
            progress(done, len(samples.x))
    run = joined(runs)
    summary = _summary(graph, artifact.manifest.steps, samples, run)
    if save is not None:
        others = {f"output{i}": y.astype(np.float32) for i, y in enumerate(run.outputs) if i}
        write_results(Path(save), output=run.output.astype(np.float32), steps=np.asarray(run.steps), **others)
    return summary


def _light(run: Run) -> Run:
    """The run without its counts: what is kept of a batch does not grow with the network."""
    return replace(run, counts={})


def _summary(graph: Graph, inject_steps: int, samples: Samples, run: Run) -> Simulation:
    count = len(samples.x)
    layers = tuple(
        LayerActivity(name, neurons, spikes, spikes / (neurons * count * run.steps))
        for name, spikes in run.spikes.items()
        for neurons in [int(np.prod(graph.shape(name)))]
    )
    accuracy = None if samples.y is None else accuracy_of(run.output, samples.y)
    return Simulation(count, run.steps, inject_steps, accuracy, layers, run.output)


def accuracy_of(output: Array, labels: Array) -> float:
    """Share of samples whose largest output is the label's."""
    if output.ndim != 2:
        raise DataError(f"y: labels go with an output (N, classes), found {output.shape}")
    check_labels(labels, output.shape[1])
    return float((output.argmax(axis=1) == labels).mean())


def check_labels(labels: Array, classes: int) -> None:
    """Raises `DataError` for labels that are none of so many classes."""
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"y: labels 0 to {classes - 1} expected, found {labels.min()} to {labels.max()}")
