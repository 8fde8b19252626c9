"""Does an artifact compute what its model computes? Proof first, then measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.analysis.certificate import Certificate, certify
from onnx2snn.analysis.imported import certify_imported
from onnx2snn.artifact import FineTuning, Source, check_files
from onnx2snn.errors import ArtifactError, Onnx2SnnError, UsageError
from onnx2snn.flow.batches import batch_size
from onnx2snn.flow.conversion.calibrate import was_calibrated
from onnx2snn.flow.evaluation.evaluate import Progress
from onnx2snn.flow.evaluation.partial import Partial
from onnx2snn.flow.evaluation.stream import SampleStream
from onnx2snn.flow.opening import Artifact, open_artifact
from onnx2snn.flow.reading import is_spiking, read_again, read_model
from onnx2snn.flow.verification.diagnose import Diagnoser
from onnx2snn.flow.verification.findings import Diagnosis
from onnx2snn.flow.verification.imported import EXECUTOR, imported_measure
from onnx2snn.flow.verification.parity import Batch, LayerParity, Parity, batch_of, measured, parity_of
from onnx2snn.flow.verification.reference import OnnxTruth, exact_counts
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Neuron
from onnx2snn.passes import approximate
from onnx2snn.passes.text import parse_recipe


@dataclass(frozen=True)
class Verification:
    """certificate: what is proven.  parity: what was measured, if asked.  findings: what is wrong, in words.

    diagnosis: where and why counts differ, if asked.

    calibrated: what it is proven of is the model as calibration quantised it.
    fine_tuning: what was changed after conversion, so that the network is no longer the model's.
    imported: the model is a trained spiking network, which is what it is compared with.
    """

    certificate: Certificate
    parity: Parity | None
    findings: tuple[str, ...]
    calibrated: bool = False
    fine_tuning: FineTuning | None = None
    diagnosis: Diagnosis | None = None
    imported: bool = False

    @property
    def ok(self) -> bool:
        """Whether the artifact is what it says it is."""
        return not self.findings


def verify(
    model: str | Path,
    folder: str | Path,
    data: str | Path | None = None,
    progress: Progress | None = None,
    diagnose: bool = False,
    keep: str | Path | None = None,
    resume: bool = False,
) -> Verification:
    """Checks an artifact against the model it was made from.

    The static certificate is worked out anew from the model file and the numbers in the folder. With `data`, counts
    and outputs are measured against ONNX Runtime as well, or against onnx.reference where the model holds ops of QONNX.
    Differences that the artifact does not claim to exclude (an inexact code, real arithmetic) are reported but are no
    findings. `diagnose` splits them into causes and tries what would mend them; it needs `data`. With `keep`, batches
    that are done are kept in the folder `KEEP.partial` until all are; `resume` goes on with them.
    """
    if keep is not None and (data is None or diagnose):
        raise UsageError("--keep: goes with samples (--data), and not with --diagnose")
    if resume and keep is None:
        raise UsageError("--resume: goes with --keep NAME, beside which measurements are kept")
    if diagnose and data is None:
        raise UsageError("--diagnose: samples expected, found none; give --data DATA.npz")
    artifact = open_artifact(Path(folder), trust=True)
    findings = [f"{problem}" for problem in check_files(artifact.folder, artifact.manifest)]
    source = Source.of(_existing(Path(model)))
    made_from = artifact.manifest.model
    another = f"the artifact was made from another file than {source.file} ({made_from.file})"
    another = "" if source.sha256 == made_from.sha256 else another
    try:
        graph = artifact.graph()
    except ArtifactError as error:
        raise ArtifactError("; ".join(findings or [str(error)])) from error
    ann = read_again(Path(model), artifact.manifest.reading).graph
    spiking = is_spiking(ann)
    if spiking and diagnose:
        raise UsageError("--diagnose: goes with an ONNX network; a trained spiking network has no staircases to miss")
    try:
        reference, lost = approximate(ann, parse_recipe(artifact.manifest.staircase_passes))
    except Onnx2SnnError as error:
        raise ArtifactError("; ".join([*findings, *filter(None, [another]), str(error)])) from error
    tuning = artifact.manifest.fine_tuning
    changed = [*lost, *([] if tuning is None else [str(tuning)])]
    prove = certify_imported if spiking else certify
    certificate = prove(reference, graph, artifact.manifest.steps, artifact.manifest.schedule.settle, changed)
    claims = _against_claims(artifact, graph, certificate)
    findings += [_of_another(another, claims, len(certificate.verdicts))] if another else claims
    findings += artifact.backend.audit(artifact.network(graph, certificate), artifact.folder)
    parity, diagnosis = None, None
    calibrated = was_calibrated(artifact.manifest.staircase_passes)
    if data is not None:
        manifest = artifact.manifest
        with SampleStream(Path(data), manifest.inputs) as samples:
            key = {"artifact": manifest.digest, "model": source.sha256, "data": samples.digest()}
            partial = None if keep is None else Partial(Path(keep), key)
            if partial is not None:
                partial.prepare(resume)
            if spiking:
                measure, executor, own = imported_measure(artifact, reference), EXECUTOR, False
                diagnoser = None
            else:
                integer, codes = manifest.arithmetic == "integer", artifact.backend.codes
                diagnoser = Diagnoser(reference, graph, manifest.schedule, manifest.code, integer, codes)
                truth = OnnxTruth(Path(model), reference, bool(lost) or calibrated)
                measure = _measure(truth, artifact, diagnoser, diagnose)
                executor, own = truth.session.name, truth.calibrated
            found = measured(samples, batch_size(graph), measure, partial, progress)
            parity = parity_of(found, samples.y, executor, own)
            diagnosis = diagnoser.finish() if diagnoser is not None and diagnose else None
        findings += _against_proof(certificate, parity)
    return Verification(certificate, parity, tuple(findings), calibrated, tuning, diagnosis, spiking)


def _existing(path: Path) -> Path:
    if not path.is_file():
        read_model(path)  # says what is wrong with it
    return path


def _of_another(another: str, claims: list[str], ops: int) -> str:
    """One finding in place of one for each op that another model has otherwise."""
    if not claims:
        return f"{another}, though what it claims holds of this one too; convert again"
    return (
        f"{another}: {len(claims)} of its claims on {ops} ops do not hold of this one; "
        "verify against the file it was made from, or convert again"
    )


def _against_claims(artifact: Artifact, graph: Graph, certificate: Certificate) -> list[str]:
    """What the manifest says otherwise than the proof."""
    unsaid = [text for text in certificate.approximations if text not in artifact.manifest.approximations]
    return [*_layer_claims(artifact, graph, certificate), *(f"not in the manifest: {text}" for text in unsaid)]


def _layer_claims(artifact: Artifact, graph: Graph, certificate: Certificate) -> list[str]:
    claimed = {layer.name: layer for layer in artifact.manifest.layers}
    tuning = artifact.manifest.fine_tuning
    tuned = () if tuning is None else tuning.layers
    found = [
        f"{node.name}: code {artifact.manifest.code} claimed, a {node.op.name} found"
        for node in graph.of(Neuron)
        if node.op.name != artifact.manifest.code
    ]
    for verdict in certificate.verdicts:
        layer = claimed.get(verdict.name)
        if layer is None:
            found.append(f"{verdict.name}: not in the manifest")
        elif layer.name in tuned and (layer.exactness, layer.proven) == ("bounded", 0):
            continue  # nothing is claimed of what fine-tuning changed
        elif (layer.exactness, layer.proven) != (verdict.exactness, verdict.proven):
            found.append(
                f"{verdict.name}: {layer.exactness} with {layer.proven} breakpoints claimed, {verdict.exactness} with "
                f"{verdict.proven} of {verdict.breakpoints} proven" + (f" ({verdict.reason})" if verdict.reason else "")
            )
    return found


def _measure(truth: OnnxTruth, artifact: Artifact, diagnoser: Diagnoser, diagnose: bool) -> Callable[[Array], Batch]:
    """What measures a batch against the model, each population in the network and alone."""
    measure, simulator = diagnoser.measure, artifact.simulator()

    def batch(x: Array) -> Batch:
        expected, found = truth.of(x), simulator.run(x)
        alone, _ = measure.run(x, given=measure.forced(expected.counts))
        if diagnose:
            diagnoser.add(x, expected, found.counts, alone)
        exact = _once(lambda: exact_counts(measure.reference, x))
        layers: list[LayerParity] = []
        for name, population in measure.populations.items():
            if name in found.counts:
                levels = population.levels(found.counts[name]), population.levels(alone[name])
                layers.append(_layer(name, *levels, expected.counts[name], exact))
        return batch_of(found.outputs, expected.outputs, found.steps, layers)

    return batch


def _layer(name: str, found: Array, alone: Array, truth: Array, exact: Callable[[], dict[str, Array]]) -> LayerParity:
    """The counts of a batch against the model's; exact: works out those of float64."""
    wrong = found != truth
    return LayerParity(
        name,
        counts=truth.size,
        alone=int((alone != truth).sum()),
        cumulative=int(wrong.sum()),
        rounding=int((wrong & (found == exact()[name])).sum()) if wrong.any() else 0,
        worst=int(np.abs(found - truth).max(initial=0)),
        worst_alone=int(np.abs(alone - truth).max(initial=0)),
    )


def _once(make: Callable[[], dict[str, Array]]) -> Callable[[], dict[str, Array]]:
    made: list[dict[str, Array]] = []

    def get() -> dict[str, Array]:
        if not made:
            made.append(make())
        return made[0]

    return get


def _against_proof(certificate: Certificate, parity: Parity) -> list[str]:
    """Measured differences that the certificate excludes; float32 near-ties of the model are none."""
    found: list[str] = []
    for layer in parity.layers:
        verdict = certificate[layer.name]
        if certificate.proven_as_staircases and layer.cumulative > layer.rounding:
            wrong = layer.cumulative - layer.rounding
            found.append(f"{layer.name}: proven exact, yet {wrong} of {layer.counts} counts differ")
        if verdict.exactness == "bounded" and layer.worst_alone > verdict.bound + 1:
            found.append(f"{layer.name}: at most {verdict.bound} counts proven, yet {layer.worst_alone} measured alone")
    return found
