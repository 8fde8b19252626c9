"""From an artifact, and perhaps samples and the model, to the facts of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

from onnx2snn.artifact import LayerRecord, Manifest
from onnx2snn.backends.base import Footprint
from onnx2snn.errors import BackendError, MissingExtraError
from onnx2snn.flow.conversion.write import layer_records
from onnx2snn.flow.evaluation.curve import earliest
from onnx2snn.flow.evaluation.evaluate import Progress
from onnx2snn.flow.evaluation.simulate import Simulation as Simulated
from onnx2snn.flow.evaluation.simulate import simulate
from onnx2snn.flow.opening import Artifact, open_artifact
from onnx2snn.flow.reading import is_nir
from onnx2snn.flow.verification.claim import claim_of, recorded
from onnx2snn.flow.verification.verify import Verification, verify
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Neuron
from onnx2snn.metrics import LayerActivity, Noise, load_device, units
from onnx2snn.metrics.activity import roles
from onnx2snn.reporting.facts import (
    Conversion,
    Device,
    Difference,
    Layer,
    Parity,
    Placement,
    Report,
    Robustness,
    Sample,
    Simulation,
)
from onnx2snn.reporting.sampling import sample_of
from onnx2snn.reporting.words import percent
from onnx2snn.version import __version__

Stage = Callable[[str], Progress | None]  #: given the name of what comes next, returns what to tell its progress

RUNS = 3  #: with each probability of losing spikes
NO_DATA = "needs samples: give --data DATA.npz (arrays x and, for accuracy, y)"
NO_MODEL = "needs the model that was converted: give --model MODEL"


@dataclass(frozen=True)
class Wanted:
    """What to report on.

    data: a file of samples.  model: the file that was converted.  sample: whose run is shown spike by spike.
    drops: probabilities to lose every spike with, each tried `RUNS` times.
    """

    folder: Path
    data: Path | None = None
    model: Path | None = None
    sample: int = 0
    drops: tuple[float, ...] = ()


def gather(wanted: Wanted, stage: Stage = lambda name: None) -> Report:
    """Everything there is to say; what cannot be is in `missing`, with the reason.

    Raises `ArtifactError`, `DataError` or `ModelError` for what cannot be taken.
    """
    artifact = open_artifact(wanted.folder)
    graph = artifact.graph()
    missing: dict[str, str] = {}
    noises = [Noise(drop, repeats=RUNS) for drop in wanted.drops]
    simulated = _simulated(wanted, missing, stage)
    proven = recorded(artifact.manifest, graph).exact
    verified = _verified(wanted, artifact, missing, proven, stage)
    layers = _layers(graph, simulated, verified)
    footprint = artifact.backend.footprint(wanted.folder)
    return Report(
        made_by=f"onnx2snn {__version__}",
        conversion=_conversion(artifact, graph, verified),
        certificate=_certificate(artifact.manifest, graph, verified),
        layers=layers,
        simulation=None if simulated is None else _simulation(wanted, simulated, _robustness(wanted, noises, stage)),
        parity=None if verified is None else _parity(verified),
        sample=_sample(wanted, artifact, graph, {layer.name: layer.number for layer in layers}, missing, stage),
        cores=None if footprint is None else footprint.data,
        placement=None if footprint is None else _placement(footprint),
        findings=() if verified is None else verified.findings,
        missing=missing,
    )


def _simulated(wanted: Wanted, missing: dict[str, str], stage: Stage) -> Simulated | None:
    if wanted.data is None:
        missing["activity"] = f"Accuracy, latency, firing rates and spikes: {NO_DATA}."
        return None
    return simulate(wanted.folder, wanted.data, progress=stage("simulating"), in_numpy=True)


def _robustness(wanted: Wanted, noises: Sequence[Noise], stage: Stage) -> tuple[Robustness, ...]:
    """Accuracy with spikes lost, where there are labels."""
    found: list[Robustness] = []
    for noise in noises if wanted.data is not None else ():
        bar = stage(f"losing {percent(noise.drop)} of the spikes")
        tried = simulate(wanted.folder, wanted.data or "", progress=bar, noise=noise, in_numpy=True)
        if tried.accuracy is not None:
            deviation = tried.accuracy_deviation
            found.append(Robustness(drop=noise.drop, runs=RUNS, accuracy=tried.accuracy, deviation=deviation))
    return tuple(found)


def _verified(
    wanted: Wanted, artifact: Artifact, missing: dict[str, str], proven: bool, stage: Stage
) -> Verification | None:
    """proven: whether the manifest claims equality, so that there is nothing to diagnose."""
    if wanted.model is None:
        missing["parity"] = f"Comparison with the model, layer by layer: {NO_MODEL}, and samples as well (--data)."
        return None
    data = wanted.data
    if data is None:
        missing["parity"] = f"Comparison with the model, layer by layer: {NO_DATA}."
    try:
        artifact.simulator()
    except (BackendError, MissingExtraError) as error:
        data, missing["parity"] = None, f"Comparison with the model, layer by layer: {error}."
    diagnose = data is not None and not proven and not is_nir(wanted.model)
    return verify(wanted.model, wanted.folder, data, stage("verifying"), diagnose)


def _conversion(artifact: Artifact, graph: Graph, verified: Verification | None) -> Conversion:
    manifest = artifact.manifest
    certificate = recorded(manifest, graph) if verified is None else verified.certificate
    tuning = manifest.fine_tuning
    populations = graph.of(Neuron)
    kept = manifest.model_dump(include=set(Conversion.model_fields) - {"model", "fine_tuning", "approximations"})
    return Conversion(
        **kept,
        model=manifest.model.file,
        sha256=manifest.model.sha256,
        populations=len(populations),
        neurons=sum(prod(graph.shape(node.name)) * units(node.op) for node in populations),
        claim=claim_of(manifest, certificate),
        exact=certificate.exact,
        breakpoints=certificate.breakpoints,
        proven=certificate.proven,
        proved_from="the manifest" if verified is None else "the model file",
        approximations=certificate.approximations,
        fine_tuning=None if tuning is None else str(tuning),
    )


def _certificate(manifest: Manifest, graph: Graph, verified: Verification | None) -> tuple[LayerRecord, ...]:
    return manifest.layers if verified is None else layer_records(graph, verified.certificate)


def _layers(graph: Graph, simulated: Simulated | None, verified: Verification | None) -> tuple[Layer, ...]:
    active = {} if simulated is None else {layer.name: layer for layer in simulated.layers}
    found: list[Layer] = []
    for number, (name, role) in enumerate(roles(graph).items(), 1):
        op, layer = graph[name].op, active.get(name)
        figures = {} if layer is None or simulated is None else _figures(layer, simulated.samples)
        neurons = prod(graph.shape(name)) * units(op)
        difference = _difference(name, verified)
        found.append(
            Layer(number=number, name=name, op=op.name, role=role, neurons=neurons, difference=difference, **figures)
        )
    return tuple(found)


def _figures(layer: LayerActivity, samples: int) -> dict[str, float | None]:
    """For each sample."""
    spikes, operations, macs = (
        None if value is None else value / samples for value in (layer.spikes, layer.operations, layer.macs)
    )
    return {
        "spikes": spikes,
        "rate": layer.rate,
        "sparsity": layer.sparsity,
        "operations": operations,
        "macs": macs,
    }


def _difference(name: str, verified: Verification | None) -> Difference | None:
    if verified is None or verified.parity is None:
        return None
    counted = next((layer for layer in verified.parity.layers if layer.name == name), None)
    if counted is None:
        return None
    diagnosed = () if verified.diagnosis is None else verified.diagnosis.layers
    why = next((layer for layer in diagnosed if layer.name == name), None)
    kept = {key: value for key, value in asdict(counted).items() if key in Difference.model_fields}
    if why is None:
        return Difference(**kept)
    causes = {str(cause): number for cause, number in why.network.items() if number}
    return Difference(**kept, causes=causes, advice=why.advice)


def _simulation(wanted: Wanted, found: Simulated, robustness: tuple[Robustness, ...]) -> Simulation:
    tables = [load_device(estimate.device) for estimate in found.energy]
    return Simulation(
        data="" if wanted.data is None else wanted.data.name,
        samples=found.samples,
        steps=found.steps,
        inject_steps=found.inject_steps,
        accuracy=found.accuracy,
        curve=found.curve,
        exit_rule=found.exit_rule,
        early=earliest(found.exits, found.accuracy),
        inputs=found.inputs,
        totals=found.totals,
        devices=tuple(
            Device(title=table.title, source=table.source, year=table.year, estimate=estimate)
            for table, estimate in zip(tables, found.energy, strict=True)
        ),
        robustness=robustness,
        notes=tuple(_named(note, wanted.data) for note in found.notes),
    )


def _named(note: str, data: Path | None) -> str:
    """A note with the name of the data file in place of its path."""
    return note if data is None or not note.startswith(f"{data}: ") else f"{data.name}{note[len(str(data)) :]}"


def _parity(verified: Verification) -> Parity | None:
    if verified.parity is None:
        return None
    kept = {key: value for key, value in vars(verified.parity).items() if key in Parity.model_fields}
    return Parity(**kept)


def _placement(footprint: Footprint) -> Placement:
    rows = tuple(tuple(_cell(value) for value in row) for row in footprint.rows)
    return Placement(title=footprint.title, columns=footprint.columns, rows=rows, sentences=footprint.sentences)


def _cell(value: object) -> int | float | str | None:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _sample(
    wanted: Wanted,
    artifact: Artifact,
    graph: Graph,
    numbers: Mapping[str, int],
    missing: dict[str, str],
    stage: Stage,
) -> Sample | None:
    if wanted.data is None:
        missing["sample"] = f"One sample, spike by spike: {NO_DATA}."
        return None
    stage("tracing")
    found = sample_of(wanted.data, wanted.sample, artifact.manifest, graph, numbers)
    if found.rasters and not found.membranes:
        missing["membranes"] = "Membrane potentials: the network is too large for the reference simulator to run it."
    return found
