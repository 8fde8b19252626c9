"""From an artifact and samples to a fine-tuned artifact."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from onnx2snn.artifact import FineTuning, Manifest, check_target
from onnx2snn.errors import DataError, UsageError
from onnx2snn.flow.conversion.write import save
from onnx2snn.flow.data import Samples, read_samples
from onnx2snn.flow.evaluation.simulate import check_labels
from onnx2snn.flow.opening import Artifact, open_artifact
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Neuron, Readout
from onnx2snn.reference import settle_bound
from onnx2snn.training.finetune.certified import certificate_of
from onnx2snn.training.finetune.options import LayerReport, Options, Report
from onnx2snn.training.finetune.score import Validation
from onnx2snn.training.finetune.segments import Segment, segments
from onnx2snn.training.finetune.teacher import Teacher
from onnx2snn.training.finetune.tune import Tuner

Progress = Callable[[str, int, int], None]  #: name of the layer, batches done of it, batches in all


@dataclass(frozen=True)
class FineTuned:
    """What `finetune` returns: what it did, and the manifest of the new artifact."""

    report: Report
    manifest: Manifest


def finetune(
    folder: str | Path,
    data: str | Path,
    out: str | Path,
    options: Options | None = None,
    *,
    device: str = "cpu",
    force: bool = False,
    command: str = "",
    progress: Progress | None = None,
    after_layer: Callable[[LayerReport], None] | None = None,
) -> FineTuned:
    """Fine-tunes the synapses of an artifact layer by layer and writes the network as a new artifact `out`.

    folder: an artifact whose code is not exact.  data: .npz with `x` (N, *input shape), and `y` (N,) labels if any.
    The teacher is the quantised network that the artifact stands for. Layer by layer in topological order, the
    spiking network runs with all that was tuned so far, and the layer learns to give the teacher's counts (Hu et al.,
    "Fast-SNN", TPAMI 2023). Thresholds, initial membranes and identity branches stay.
    `after_layer` is called with what came of each. Raises `UsageError` for an exact artifact or one that was
    fine-tuned before, `DataError` for samples that do not fit.
    """
    options = options or Options()
    check_target(Path(out), force)
    place = _device(device)
    artifact = open_artifact(Path(folder))
    graph = artifact.graph()
    _refuse(artifact, graph)
    samples = read_samples(Path(data), artifact.manifest.inputs)
    if samples.y is not None and (classes := classes_of(artifact.manifest)) is not None:
        check_labels(samples.y, classes)
    learned, judged = split(samples, options)
    tuner = _tuner(artifact, graph, learned, judged, options, place)
    schedule, validation = artifact.manifest.schedule, tuner.validation
    if options.criterion == "accuracy" and classes_of(artifact.manifest) is None:
        raise UsageError("criterion accuracy: an output (N, classes) expected, found none; use output or layer")
    before = validation.score(graph, schedule.steps, schedule.settle)
    made, reports = graph, list[LayerReport]()
    parts = segments(graph)
    for segment in parts:
        if not _wanted(graph, segment, options):
            continue

        def shown(done: int, total: int, name: str = segment.target) -> None:
            if progress is not None:
                progress(name, done, total)

        made, report = tuner.layer(made, segment, shown)
        reports.append(report)
        if after_layer is not None:
            after_layer(report)
    summary = Report(
        layers=tuple(reports),
        exact=tuple(s.target for s in parts if s.constant and isinstance(graph[s.target].op, Neuron)),
        samples=len(learned.x),
        validation=len(judged.x),
        before=before,
        after=validation.score(made, schedule.steps, schedule.settle),
        teacher_accuracy=validation.teacher_accuracy,
    )
    return FineTuned(summary, _write(artifact, graph, made, summary, Path(data), Path(out), force, command))


def classes_of(manifest: Manifest) -> int | None:
    """The classes of the first output that has some."""
    return next((shape[0] for shape in manifest.outputs.values() if len(shape) == 1 and shape[0] > 1), None)


def split(samples: Samples, options: Options) -> tuple[Samples, Samples]:
    """The samples to learn from, and those that decide, drawn by the seed."""
    count = len(samples.x)
    held = max(1, round(count * options.validation))
    if held >= count:
        raise DataError(f"samples to learn from and others to decide by expected, 2 or more; found {count}")
    order = np.random.default_rng(options.seed).permutation(count)
    parts = np.sort(order[held:]), np.sort(order[:held])
    learned, judged = (Samples(samples.x[part], None if samples.y is None else samples.y[part]) for part in parts)
    return learned, judged


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros((), device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"`device`: a device that PyTorch can use expected, found {name!r} ({reason})") from None
    return device


def _refuse(artifact: Artifact, graph: Graph) -> None:
    """What cannot be fine-tuned, or need not be."""
    manifest = artifact.manifest
    schedule = manifest.schedule
    if manifest.fine_tuning is not None:
        raise UsageError(f"{artifact.folder}: is fine-tuned already; fine-tune the artifact that it was made from")
    if manifest.calibrate_steps:
        raise UsageError(f"{artifact.folder}: sets membranes anew for each sample (`calibrate_steps`); convert without")
    silent = schedule.settle is None or schedule.settle >= settle_bound(graph, schedule.steps)
    if silent and all(node.op.exact for node in graph.of(Neuron) if isinstance(node.op, Neuron)):
        raise UsageError(
            f"{artifact.folder}: code {manifest.code} counts what the quantised network counts; "
            "there is nothing to fine-tune"
        )


def _wanted(graph: Graph, segment: Segment, options: Options) -> bool:
    """Whether a layer is tuned: not where its charge is constant, which makes its counts exact."""
    return not segment.constant and (options.readout or not isinstance(graph[segment.target].op, Readout))


def _tuner(
    artifact: Artifact, graph: Graph, learned: Samples, judged: Samples, options: Options, device: torch.device
) -> Tuner:
    manifest = artifact.manifest
    model = {layer.name: layer.counts for layer in manifest.layers if layer.counts is not None}
    teacher = Teacher(graph, manifest.steps, model, device)
    certificate = certificate_of(manifest, graph, graph, None)
    return Tuner(
        teacher=teacher,
        validation=Validation(teacher, graph, judged, options.batch, device),
        x=learned.x,
        schedule=manifest.schedule,
        model=model,
        options=options,
        check=lambda made: artifact.backend.check(artifact.network(made, certificate)),
        device=device,
    )


def _write(
    artifact: Artifact, before: Graph, made: Graph, report: Report, data: Path, out: Path, force: bool, command: str
) -> Manifest:
    tuning = None
    if report.kept:
        tuning = FineTuning(
            parent=artifact.manifest.digest,
            layers=report.kept,
            data=data.name,
            sha256=hashlib.sha256(data.read_bytes()).hexdigest(),
            samples=report.samples,
            validation=report.validation,
        )
    certificate = certificate_of(artifact.manifest, before, made, tuning)
    network = artifact.network(made, certificate, tuning)
    said = f"{network.command}; {command}" if network.command and command else network.command or command
    return save(replace(network, command=said), artifact.backend, out, force)
