"""Does an artifact compute what its model computes? Proof first, then measurement."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onnx2snn.analysis.certificate import Certificate
from onnx2snn.artifact import FineTuning, Source, check_files
from onnx2snn.errors import ArtifactError, Onnx2SnnError, UsageError
from onnx2snn.flow.evaluation.evaluate import Progress
from onnx2snn.flow.opening import Artifact, open_artifact
from onnx2snn.flow.paths import as_path
from onnx2snn.flow.reading import is_spiking, read_again, read_model
from onnx2snn.flow.verification.claim import claim_of
from onnx2snn.flow.verification.findings import Diagnosis
from onnx2snn.flow.verification.measure import Case, measure
from onnx2snn.flow.verification.parity import Parity
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Neuron
from onnx2snn.passes import QuantiseWeights, Recipe, approximate, run_passes
from onnx2snn.passes.text import parse_recipe


@dataclass(frozen=True)
class Verification:
    """certificate: what is proven.  parity: what was measured, if asked.  findings: what is wrong, in words.

    diagnosis: where and why counts differ, if asked.

    claim: how far it equals the model, in words.
    calibrated: what it is proven of is the model as calibration or rounded weights made it.
    fine_tuning: what was changed after conversion, so that the network is no longer the model's.
    imported: the model is a trained spiking network, which is what it is compared with.
    notes: what the user should know: samples that the input's quantiser cannot hold or that are rounded.
    """

    certificate: Certificate
    parity: Parity | None
    findings: tuple[str, ...]
    claim: str = ""
    calibrated: bool = False
    fine_tuning: FineTuning | None = None
    diagnosis: Diagnosis | None = None
    imported: bool = False
    notes: tuple[str, ...] = ()

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
    _check_use(data, diagnose, keep, resume)
    findings: list[str] = []
    path, artifact_folder = as_path("model", model), as_path("folder", folder)
    if path.is_dir() and artifact_folder.is_file():
        raise UsageError(f"{path}: a model file expected, found a folder; verify MODEL FOLDER, in this order")
    case = _opened(path, artifact_folder, findings)
    if case.spiking and diagnose:
        raise UsageError("`diagnose`: goes with an ONNX network; a trained spiking network has no staircases to miss")
    artifact, certificate = case.artifact, case.certificate()
    claims = _against_claims(artifact, case.graph, certificate)
    findings += [_of_another(case.another, claims, len(certificate.verdicts))] if case.another else claims
    findings += artifact.backend.audit(artifact.network(case.graph, certificate), artifact.folder)
    parity, diagnosis, notes = None, None, ()
    if data is not None:
        kept = None if keep is None else as_path("keep", keep)
        parity, diagnosis, unfit = measure(case, as_path("data", data), diagnose, kept, resume, progress)
        notes = tuple(f"{data}: {note}" for note in unfit)
        findings += _against_proof(certificate, parity, case.trained is case.reference)
    return Verification(
        certificate,
        parity,
        tuple(findings),
        claim_of(artifact.manifest, certificate),
        case.calibrated,
        artifact.manifest.fine_tuning,
        diagnosis,
        case.spiking,
        notes,
    )


def _check_use(data: object, diagnose: bool, keep: object, resume: bool) -> None:
    if keep is not None and (data is None or diagnose):
        raise UsageError("`keep`: goes with samples (`data`), and not with `diagnose`")
    if resume and keep is None:
        raise UsageError("`resume`: goes with `keep`, beside which measurements are kept")
    if diagnose and data is None:
        raise UsageError("`diagnose`: samples expected, found none; give them as `data`")


def _opened(model: Path, folder: Path, findings: list[str]) -> Case:
    """The artifact and its model; adds what is wrong with the files to `findings`."""
    artifact = open_artifact(folder, trust=True)
    findings += check_files(artifact.folder, artifact.manifest)
    source = Source.of(_existing(model))
    made_from = artifact.manifest.model
    another = f"the artifact was made from another file than {source.file} ({made_from.file})"
    another = "" if source.sha256 == made_from.sha256 else another
    try:
        graph = artifact.graph()
    except ArtifactError as error:
        raise ArtifactError("; ".join(findings or [str(error)])) from error
    ann = read_again(model, artifact.manifest.reading).graph
    try:
        recipe = parse_recipe(artifact.manifest.staircase_passes)
        reference, lost = approximate(ann, recipe)
        trained = _unrounded(ann, recipe) if is_spiking(ann) and lost else reference
    except Onnx2SnnError as error:
        raise ArtifactError("; ".join([*findings, another or str(error)])) from error
    return Case(model, source.sha256, artifact, graph, reference, tuple(lost), trained, is_spiking(ann), another)


def _unrounded(ann: Graph, recipe: Recipe) -> Graph:
    """What a recipe makes of a network without rounding its weights."""
    return run_passes(ann, tuple(step for step in recipe if not isinstance(step, QuantiseWeights)))


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


def _against_proof(certificate: Certificate, parity: Parity, same: bool) -> list[str]:
    """Measured differences that the certificate excludes; float32 near-ties of the model are none.

    same: whether it was measured against what is proven of, and not against a network before its weights were rounded.
    """
    found: list[str] = []
    for layer in parity.layers:
        verdict = certificate[layer.name]
        if layer.own:
            found.append(f"{layer.name}: {layer.own} of {layer.counts} counts are not those of the artifact's network")
        if same and certificate.proven_as_staircases and layer.cumulative > layer.rounding:
            wrong = layer.cumulative - layer.rounding
            found.append(f"{layer.name}: proven exact, yet {wrong} of {layer.counts} counts differ")
        if verdict.exactness == "bounded" and (layer.worst_alone or 0) > verdict.bound + 1:
            found.append(f"{layer.name}: at most {verdict.bound} counts proven, yet {layer.worst_alone} measured alone")
    return found
