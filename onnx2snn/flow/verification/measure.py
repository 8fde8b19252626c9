"""An artifact measured on samples beside what it was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onnx2snn.analysis.certificate import Certificate, certify
from onnx2snn.analysis.imported import certify_imported
from onnx2snn.errors import located
from onnx2snn.flow.batches import batch_size
from onnx2snn.flow.conversion.calibration import was_calibrated
from onnx2snn.flow.evaluation.evaluate import Progress
from onnx2snn.flow.evaluation.partial import Partial
from onnx2snn.flow.evaluation.stream import SampleStream
from onnx2snn.flow.opening import Artifact
from onnx2snn.flow.saturation import saturation
from onnx2snn.flow.verification.diagnose import Diagnoser
from onnx2snn.flow.verification.findings import Diagnosis
from onnx2snn.flow.verification.imported import EXECUTOR, imported_measure
from onnx2snn.flow.verification.parity import Batch, LayerParity, Parity, batch_of, layer_parity, measured, parity_of
from onnx2snn.flow.verification.reference import OnnxTruth, exact_counts
from onnx2snn.flow.whole_inputs import unwhole
from onnx2snn.ir import Array, Graph


@dataclass(frozen=True)
class Case:
    """What is verified.

    model, sha256: the model file.  graph: the artifact's network.  reference: the model's, as staircases (or as the
    trained spiking network that it is, `spiking`).  lost: what passes changed of its meaning.
    trained: a spiking network before its weights were rounded, which counts are measured against.
    another: says so where the artifact was made from another file, else "".
    """

    model: Path
    sha256: str
    artifact: Artifact
    graph: Graph
    reference: Graph
    lost: tuple[str, ...]
    trained: Graph
    spiking: bool
    another: str

    @property
    def calibrated(self) -> bool:
        """Whether calibration quantised the model."""
        return was_calibrated(self.artifact.manifest.staircase_passes)

    def certificate(self) -> Certificate:
        """What can be proven of it."""
        manifest, prove = self.artifact.manifest, certify_imported if self.spiking else certify
        changed = [*self.lost, *([] if manifest.fine_tuning is None else [str(manifest.fine_tuning)])]
        return prove(self.reference, self.graph, manifest.steps, manifest.schedule.settle, changed)


def measure(
    case: Case, data: Path, diagnose: bool, keep: Path | None, resume: bool, progress: Progress | None
) -> tuple[Parity, Diagnosis | None, tuple[str, ...]]:
    """Counts and outputs on the samples of a file, if asked why counts differ, and what does not fit of the samples."""
    manifest = case.artifact.manifest
    with SampleStream(data, manifest.inputs) as samples:
        partial = None
        if keep is not None:
            partial = Partial(keep, {"artifact": manifest.digest, "model": case.sha256, "data": samples.digest()})
            partial.prepare(resume)
        size = batch_size(case.graph)
        unfit = (
            *saturation(case.graph, samples.first(size)),
            *(f"{note}; the model is run on the rounded values" for note in unwhole(case.graph, samples.batches(size))),
        )
        if case.spiking:
            batches = measured(
                samples, size, imported_measure(case.artifact, case.graph, case.trained), partial, progress
            )
            return parity_of(batches, samples.y, EXECUTOR), None, unfit
        integer, backend = manifest.arithmetic == "integer", case.artifact.backend
        diagnoser = Diagnoser(case.reference, case.graph, manifest.schedule, manifest.code, integer, backend)
        truth = OnnxTruth(case.model, case.reference, bool(case.lost) or case.calibrated)
        beside = _beside_the_model(truth, case.artifact, diagnoser, diagnose, str(data))
        parity = parity_of(
            measured(samples, size, beside, partial, progress), samples.y, truth.session.name, truth.calibrated
        )
        return parity, diagnoser.finish() if diagnose else None, unfit


def _beside_the_model(
    truth: OnnxTruth, artifact: Artifact, diagnoser: Diagnoser, diagnose: bool, data: str
) -> Callable[[Array], Batch]:
    """What measures a batch against the model, each population in the network and alone.

    data: the name of the samples' file, which errors begin with.
    """
    measure, simulator = diagnoser.measure, artifact.simulator()

    def batch(x: Array) -> Batch:
        with located(data):
            expected = truth.of(x)
        found = simulator.run(x)
        alone, _ = measure.run(x, given=measure.forced(expected.counts))
        if diagnose:
            diagnoser.add(x, expected, found.counts, alone)
        exact = _once(lambda: exact_counts(measure.reference, x))
        layers: list[LayerParity] = []
        for name, population in measure.populations.items():
            if name in found.counts:
                levels, lone = population.levels(found.counts[name]), population.levels(alone[name])
                layers.append(layer_parity(name, expected.counts[name], levels, alone=lone, exact=exact))
        return batch_of(found.outputs, expected.outputs, found.steps, layers)

    return batch


def _once(make: Callable[[], dict[str, Array]]) -> Callable[[], dict[str, Array]]:
    made: list[dict[str, Array]] = []

    def get() -> dict[str, Array]:
        if not made:
            made.append(make())
        return made[0]

    return get
