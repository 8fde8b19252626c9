"""Running an artifact on samples: outputs, accuracy at every step, latency, rates, synaptic operations, energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError
from onnx2snn.flow.batches import batch_size, batches
from onnx2snn.flow.curve import Exit, Moment, curve, exits
from onnx2snn.flow.data import Samples, check_results, read_samples, write_results
from onnx2snn.flow.opening import Artifact, open_artifact
from onnx2snn.flow.trial import Part, Trial, joined_parts
from onnx2snn.ir import Array
from onnx2snn.metrics import Device, Energy, Exits, InputActivity, LayerActivity, Totals, load_device, price
from onnx2snn.metrics.activity import inputs, layers, totals
from onnx2snn.metrics.answers import MARGIN
from onnx2snn.metrics.median import MedianFigures, median_figures

Progress = Callable[[int, int], None]  #: samples done, samples in all
DEVICES = ("45nm-float32", "45nm-int8", "loihi1")


@dataclass(frozen=True)
class Simulation:
    """What `simulate` reports.

    steps: from the first inject step to the last spike, settle steps included.  output: (N, ...), the readout after
    the last step, in the units of the model's output; the first of several.
    The rest is empty or None where the backend's simulator does not tell: `curve`, the network after each tick;
    `exits`, what stopping early would do; `inputs` and `totals`; `energy`, an estimate a device; `median`, the figures
    of the source of median quantisation.
    """

    samples: int
    steps: int
    inject_steps: int
    accuracy: float | None
    layers: tuple[LayerActivity, ...]
    output: Array
    curve: tuple[Moment, ...] = ()
    exit_rule: str = ""
    exits: tuple[Exit, ...] = ()
    inputs: tuple[InputActivity, ...] = ()
    totals: Totals | None = None
    energy: tuple[Energy, ...] = ()
    median: MedianFigures | None = None


def simulate(
    folder: str | Path,
    data: str | Path,
    save: str | Path | None = None,
    progress: Progress | None = None,
    devices: Sequence[str] = DEVICES,
    exit_rule: Exits = MARGIN,
) -> Simulation:
    """Runs an artifact on a data file and, if asked, writes `output` and `steps` to another.

    progress(done, total) is called after each batch. devices: names of energy tables, or TOML files (see
    `onnx2snn.metrics.energy`). Raises `ArtifactError`, `DataError`, `BackendError` or `UsageError`.
    """
    if save is not None:
        check_results(Path(save), ("output", "steps"))
    tables = [load_device(name) for name in devices]
    artifact = open_artifact(Path(folder))
    samples = read_samples(Path(data), artifact.manifest.inputs)
    trial = Trial(artifact, exit_rule)
    _check_answers(artifact, samples)
    parts: list[Part] = []
    done = 0
    for x in batches(samples.x, batch_size(trial.graph)):
        parts.append(trial.run(x, None if samples.y is None else samples.y[done : done + len(x)]))
        done += len(x)
        if progress is not None:
            progress(done, len(samples.x))
    whole = joined_parts(parts)
    if save is not None:
        others = {f"output{i}": y.astype(np.float32) for i, y in enumerate(whole.outputs) if i}
        write_results(Path(save), output=whole.outputs[0].astype(np.float32), steps=np.asarray(whole.steps), **others)
    return _summary(artifact, trial, samples, whole, tables)


def _summary(artifact: Artifact, trial: Trial, samples: Samples, whole: Part, tables: list[Device]) -> Simulation:
    count, graph, schedule = len(samples.x), trial.graph, artifact.manifest.schedule
    counted = whole.counters if trial.watched else None
    rows = layers(graph, count, whole.steps, whole.fired, counted, trial.fans)
    accuracy = None if samples.y is None else accuracy_of(whole.outputs[0], samples.y)
    plain = Simulation(count, whole.steps, schedule.steps, accuracy, rows, whole.outputs[0])
    if counted is None:
        return plain
    entries = inputs(graph, count, counted, trial.fans)
    sums = totals(count, rows, entries)
    names = [row.name for row in rows]
    return Simulation(
        **vars(plain)
        | {
            "curve": curve(counted, count, whole.steps - schedule.calibrate, names),
            "exit_rule": trial.exits.rule,
            "exits": exits(counted, count, whole.steps, schedule.calibrate, trial.exits),
            "inputs": entries,
            "totals": sums,
            "energy": tuple(price(table, sums.work) for table in tables),
            "median": median_figures(count, rows),
        }
    )


def _check_answers(artifact: Artifact, samples: Samples) -> None:
    """Labels go with an output of several classes: said before the run, not after it."""
    if samples.y is not None:
        shape = next(iter(artifact.manifest.outputs.values()))
        if len(shape) != 1:
            raise DataError(f"y: labels go with an output (N, classes), found {(len(samples.x), *shape)}")
        check_labels(samples.y, shape[0])


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
