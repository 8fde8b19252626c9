"""Running an artifact on samples: outputs, accuracy at every step, latency, rates, synaptic operations, energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError, UsageError, located
from onnx2snn.flow.batches import batch_size
from onnx2snn.flow.data import check_results, write_results
from onnx2snn.flow.evaluation.curve import Exit, Moment, curve, exits
from onnx2snn.flow.evaluation.evaluate import Progress, evaluate
from onnx2snn.flow.evaluation.latency import latency_of
from onnx2snn.flow.evaluation.partial import Partial, digest, tasks
from onnx2snn.flow.evaluation.processes import Alone, Processes
from onnx2snn.flow.evaluation.stream import SampleStream
from onnx2snn.flow.evaluation.trial import Part, Trial, only_numpy
from onnx2snn.flow.opening import Artifact, open_artifact
from onnx2snn.flow.paths import as_path
from onnx2snn.flow.saturation import saturation
from onnx2snn.flow.whole_inputs import unwhole
from onnx2snn.ir import Array
from onnx2snn.metrics import Device, Energy, Exits, InputActivity, LayerActivity, Noise, Totals, load_device, price
from onnx2snn.metrics.activity import inputs, layers, totals
from onnx2snn.metrics.answers import MARGIN
from onnx2snn.metrics.median import MedianFigures, median_figures
from onnx2snn.metrics.noise import SILENCE
from onnx2snn.words import amount

NAMED = 6  #: populations that a note names
DEVICES = ("45nm-float32", "45nm-int8", "loihi1")


@dataclass(frozen=True)
class Simulation:
    """What `simulate` reports.

    steps: from the first inject step to the last spike, settle steps included.  most_steps: what they can never exceed,
    proven where the network runs until it is silent.  output: (N, ...), the readout after
    the last step, in the units of the model's output; the first of several.
    simulator: name of the backend whose simulator ran it.
    notes: what the user should know: samples that the input's quantiser cannot hold or that are rounded, populations
    that never fire.
    noise: what was disturbed; `repeats`: the accuracy of each run, of which `accuracy` is the mean. Layers add up all
    repeats; outputs are those of the first.
    The rest is empty or None where the backend's simulator does not tell: `curve`, the network after each tick;
    `exits`, what stopping early would do; `inputs` and `totals`; `energy`, an estimate a device; `median`, the figures
    of the source of median quantisation.
    """

    samples: int
    steps: int
    inject_steps: int
    most_steps: int
    accuracy: float | None
    layers: tuple[LayerActivity, ...]
    output: Array
    simulator: str = "numpy"
    curve: tuple[Moment, ...] = ()
    exit_rule: str = ""
    exits: tuple[Exit, ...] = ()
    inputs: tuple[InputActivity, ...] = ()
    totals: Totals | None = None
    energy: tuple[Energy, ...] = ()
    median: MedianFigures | None = None
    noise: Noise = SILENCE
    repeats: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def accuracy_deviation(self) -> float | None:
        """Standard deviation of the accuracy over repeats; None where there is but one."""
        return float(np.std(self.repeats, ddof=1)) if len(self.repeats) > 1 else None


def simulate(
    folder: str | Path,
    data: str | Path,
    save: str | Path | None = None,
    progress: Progress | None = None,
    devices: Sequence[str] | None = None,
    exit_rule: Exits | None = None,
    noise: Noise = SILENCE,
    resume: bool = False,
    processes: Processes | None = None,
    in_numpy: bool = False,
) -> Simulation:
    """Runs an artifact on a data file and, if asked, writes `output` and `steps` to another.

    progress(done, total) is called after each batch. devices: names of energy tables, or TOML files (see
    `onnx2snn.metrics.energy`); by default `DEVICES`. exit_rule: by default the margin of the output. noise: what is
    disturbed, and how often it is tried. With `save`, batches that are done are kept beside it until all are; `resume`
    goes on with them. processes: those that share the samples. in_numpy: run the artifact's network in the NumPy
    simulator, whatever its backend: curve, operations, energy and noise need it.
    Memory depends on the network and not on the data, but for the outputs.
    Raises `ArtifactError`, `DataError`, `BackendError` or `UsageError`.
    """
    processes = processes or Alone()
    source, target = as_path("data", data), None if save is None else as_path("save", save)
    if target is not None:
        check_results(target, ("output", "steps"))
    elif resume:
        raise UsageError("`resume`: goes with a file to save results to (`save`), beside which they are kept")
    tables = [load_device(name) for name in devices or DEVICES]
    artifact = open_artifact(as_path("folder", folder))
    with SampleStream(source, artifact.manifest.inputs) as stream:
        with located(source):
            _check_answers(artifact, stream)
        trial = Trial(artifact, exit_rule or MARGIN, noise, in_numpy)
        asked = {"`devices`": devices, "`exit_rule`": exit_rule}
        refused = [] if trial.watched else [name for name, value in asked.items() if value is not None]
        if refused:
            raise UsageError(f"{', '.join(refused)}: {only_numpy(artifact.manifest.backend)}")
        size = batch_size(trial.graph)
        unfit = (*saturation(trial.graph, stream.first(size)), *unwhole(trial.graph, stream.batches(size)))
        todo = tasks(len(stream), size, noise.repeats)
        partial = None if target is None else _partial(target, artifact, stream, (trial.exits, noise, in_numpy))
        if partial is not None:
            if processes.rank == 0:
                partial.prepare(resume)
            processes.gathered(None)  # nobody writes before the folder is there
        whole = evaluate(trial, stream, todo, partial, processes, progress)
    if target is not None and partial is not None and processes.rank == 0:
        others = {f"output{i}": y.astype(np.float32) for i, y in enumerate(whole.outputs) if i}
        write_results(target, output=whole.outputs[0].astype(np.float32), steps=np.asarray(whole.steps), **others)
        partial.remove()
    name = "numpy" if in_numpy else artifact.backend.name
    found = _summary(trial, stream, whole, tables, latency_of(artifact.manifest).most_steps, name)
    return replace(found, notes=(*(f"{source}: {note}" for note in unfit), *_silent(found)))


def _partial(save: Path, artifact: Artifact, stream: SampleStream, options: object) -> Partial:
    key = {"artifact": artifact.manifest.digest, "data": stream.digest(), "options": digest(options)}
    return Partial(save, key)


def _summary(
    trial: Trial, stream: SampleStream, whole: Part, tables: list[Device], most_steps: int, simulator: str
) -> Simulation:
    count, graph, schedule = len(stream), trial.graph, trial.schedule
    runs = count * trial.noise.repeats
    counted = whole.counters if trial.watched else None
    rows = layers(graph, runs, trial.steps_of_a_population(whole.steps), whole.fired, counted, trial.fans)
    tries = range(0 if stream.y is None else trial.noise.repeats)
    right = [int(whole.counters[f"right/{repeat}"][0]) / count for repeat in tries]
    plain = Simulation(
        samples=count,
        steps=whole.steps,
        inject_steps=schedule.steps,
        most_steps=most_steps,
        accuracy=mean(right),
        layers=rows,
        output=whole.outputs[0],
        simulator=simulator,
        noise=trial.noise,
        repeats=tuple(right),
    )
    if counted is None:
        return plain
    entries = inputs(graph, runs, counted, trial.fans)
    sums = totals(runs, rows, entries)
    return replace(
        plain,
        curve=curve(counted, runs, whole.steps - schedule.calibrate, [row.name for row in rows]),
        exit_rule=trial.exits.rule,
        exits=exits(counted, runs, whole.steps, schedule.calibrate, trial.exits),
        inputs=entries,
        totals=sums,
        energy=tuple(price(table, sums.work) for table in tables),
        median=median_figures(runs, rows),
    )


def _silent(found: Simulation) -> tuple[str, ...]:
    """A note on populations none of whose neurons ever fired."""
    names = [layer.name for layer in found.layers if layer.role != "pool" and not layer.spikes]
    if not names:
        return ()
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"no neuron of {', '.join(names[:NAMED])}{more} fires on any of {amount(found.samples, 'sample')}: "
        "nothing of them reaches what comes behind",
    )


def mean(shares: Sequence[float]) -> float | None:
    """The mean over repeats, where there are labels."""
    return float(np.mean(shares)) if shares else None


def _check_answers(artifact: Artifact, stream: SampleStream) -> None:
    """Labels go with an output of several classes: said before the run, not after it."""
    if stream.y is not None:
        shape = next(iter(artifact.manifest.outputs.values()))
        if len(shape) != 1:
            raise DataError(f"y: labels go with an output (N, classes), found {(len(stream), *shape)}")
        check_labels(stream.y, shape[0])


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
