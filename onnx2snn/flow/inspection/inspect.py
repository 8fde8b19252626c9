"""What was understood of a model, node by node, before anything is converted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from onnx2snn.analysis.certificate import Certificate, Verdict, certify
from onnx2snn.errors import Onnx2SnnError, UsageError
from onnx2snn.flow.data import read_samples
from onnx2snn.flow.inspection.advice import WEIGHTS, advice
from onnx2snn.flow.inspection.dialects import dialect
from onnx2snn.flow.inspection.imported import inspect_imported
from onnx2snn.flow.inspection.levels import LevelCost, level_costs
from onnx2snn.flow.inspection.report import Inspection, NodeClass, NodeReport, summary
from onnx2snn.flow.paths import as_path
from onnx2snn.flow.reading import discretisation
from onnx2snn.frontends.onnx import list_nodes, read_onnx
from onnx2snn.frontends.reading import Reading, Record
from onnx2snn.ir import Graph, Op
from onnx2snn.ir.ops import Clip, Conv, Dense, Encoder, LeakyRelu, Quantise, Relu, Staircase, Unary
from onnx2snn.passes import (
    CODES,
    SPIKING,
    STAIRCASES,
    UNSIGNED,
    Approximation,
    MakeInteger,
    MapNeurons,
    approximate,
    most_levels,
    run_passes,
)
from onnx2snn.reference import inputs_of, settle_bound

FUNCTIONS = (Relu, Clip, LeakyRelu, Unary)  #: what calibration can quantise


def inspect(
    model: str | Path,
    data: str | Path | None = None,
    *,
    dt: float | None = None,
    reset: str | None = None,
    integrator: str | None = None,
) -> Inspection:
    """Reads a model and says of every node what became of it; `data`: samples to measure the cost of fewer levels on.

    dt, reset, integrator: of a NIR file, see `onnx2snn.frontends.nir.Discretisation`.
    Raises `ModelError` only where there is nothing to list: the file is missing or broken. Raises `DataError` for
    samples that do not fit and `UsageError` for what does not go with such a file.
    """
    path = as_path("model", model)
    how = discretisation(path, dt, reset, integrator)
    if how is not None:
        if data is not None:
            raise UsageError("`data`: goes with an ONNX network; a trained spiking network has no levels to save")
        return inspect_imported(path, how)
    if reset is not None:
        raise UsageError("`reset`: goes with NIR files, whose neurons are there already; found an ONNX file")
    try:
        reading = read_onnx(path)
    except Onnx2SnnError as error:
        if len(error.path) < 2 and not str(error.message).startswith("unsupported"):
            raise
        return _unread(path, error)
    try:
        reference, lost = approximate(reading.graph, STAIRCASES)
        certificate, steps = _certificate(reference, lost)
    except Onnx2SnnError as error:
        return _unconverted(reading, error)
    rows = tuple(_row(record, reading.graph, reference, certificate) for record in reading.records)
    costs: tuple[LevelCost, ...] = ()
    if data is not None:
        samples = read_samples(as_path("data", data), inputs_of(reference))
        costs = level_costs(reference, samples.x, samples.y)
    return Inspection(
        summary(rows, steps["st-bif"]), rows, steps, (), certificate.approximations, most_levels(reference), costs
    )


def _certificate(reference: Graph, lost: tuple[Approximation, ...]) -> tuple[Certificate, dict[str, str]]:
    levels = most_levels(reference)
    graph = run_passes(reference, (MapNeurons(steps=levels),))
    kinds = {node.op.weight.dtype.kind for node in reference.of(Conv, Dense) if isinstance(node.op, (Conv, Dense))}
    if kinds <= {"i"}:
        graph = run_passes(graph, (MakeInteger(steps=levels),))
    steps = {code: _steps(code, reference, levels) for code in CODES}
    return certify(reference, graph, levels, approximations=lost), steps


def _steps(code: str, reference: Graph, levels: int) -> str:
    """The steps that a code takes, in words that begin with its inject steps."""
    stairs = [node.op for node in reference.of(Staircase) if isinstance(node.op, Staircase)]
    if code == "ladder":
        units = max((op.levels for op in stairs), default=1)
        return f"1, with up to {units} binary units a neuron"
    if code in UNSIGNED:
        return f"{levels}, counts lifted above zero" if any(op.lo < 0 for op in stairs) else str(levels)
    if code == "signed-if":
        return str(levels)
    settle = settle_bound(MapNeurons(code=code, steps=levels)(reference), levels)
    layer_by_layer = ", layer by layer" if code == "store-and-forward" else ""
    return f"{levels} + settle (at most {settle}{layer_by_layer})"


def _row(record: Record, ann: Graph, reference: Graph, certificate: Certificate) -> NodeReport:
    verdict = next((v for v in certificate.verdicts if v.name == record.into), None)
    kind: NodeClass = "exact" if verdict is None else verdict.exactness
    lost = _lost(record, certificate.approximations)
    if lost:
        kind = "bounded"
    row = _described(record, ann, reference)
    notes = "; ".join(part for part in (record.note, lost, _fate(record, verdict)) if part)
    real = kind == "analog" and _has_real_weights(reference, record.into)
    return replace(row, kind=kind, note=notes, change=WEIGHTS if real else "")


def _lost(record: Record, approximations: tuple[str, ...]) -> str:
    """What conversion changes of the node's meaning, "" where nothing.

    Several ONNX nodes may go into one op; the one that an approximation names as its origin is meant.
    """
    for text in approximations:
        node, _, change = text.partition("): ")
        if node.startswith(f"{record.into} (") and node.endswith((f"from {record.op} {record.node!r}", "by a pass")):
            return change
    return ""


def _fate(record: Record, verdict: Verdict | None) -> str:
    if verdict is not None:
        return verdict.reason
    return "folded into its neighbours" if record.into else "constant"


def _has_real_weights(graph: Graph, name: str) -> bool:
    node = graph.get(name)
    return node is not None and isinstance(node.op, (Conv, Dense)) and node.op.weight.dtype.kind != "i"


def _described(record: Record, ann: Graph, reference: Graph | None = None) -> NodeReport:
    """The node with what is known of its grid, not judged yet."""
    node = ann.get(record.into)
    op = None if node is None else node.op
    name = dialect(record.op, record.domain, op)
    row = NodeReport(record.node, record.op, record.domain, record.into, name, note=record.note)
    kept = None if reference is None else reference.get(record.into)
    stairs = None if kept is None else kept.op
    if isinstance(stairs, (Staircase, Encoder)):
        row = replace(row, low=stairs.lo, high=stairs.hi, bits=(stairs.hi - stairs.lo).bit_length())
        row = replace(row, scale=float(stairs.scale.min()), scales=stairs.scale.size, rounding=stairs.rounding)
        return replace(row, levels=stairs.hi - stairs.lo if isinstance(stairs, Staircase) else None)
    if isinstance(op, Quantise):
        low, high = op.qmin - op.zero_point, op.qmax - op.zero_point
        row = replace(row, low=low, high=high, bits=(high - low).bit_length(), rounding=op.rounding)
        return replace(row, scale=float(op.scale.min()), scales=op.scale.size)
    if name == "integer weights" and isinstance(op, (Conv, Dense)) and op.scale is not None:
        low, high = int(op.weight.min()), int(op.weight.max())
        row = replace(row, low=low, high=high, bits=max(abs(low), abs(high)).bit_length() + 1)
        return replace(row, scale=float(op.scale.min()), scales=op.scale.size)
    return row


def _unread(path: Path, error: Onnx2SnnError) -> Inspection:
    """What stands against reading each node, all at once."""
    rows = tuple(
        NodeReport(
            node.name,
            node.op,
            node.domain,
            kind="unsupported" if node.fault else None,
            note=node.fault,
            change=advice(node.op) if node.fault else "",
        )
        for node in list_nodes(path)
    )
    return Inspection(summary(rows, None), rows, problems=error.lines)


def _unconverted(reading: Reading, error: Onnx2SnnError) -> Inspection:
    """Everything was read, but not everything has a spiking form."""
    rows = tuple(_blamed(_described(record, reading.graph), reading.graph, str(error)) for record in reading.records)
    return Inspection(summary(rows, None), rows, problems=error.lines)


def _blamed(row: NodeReport, ann: Graph, problem: str) -> NodeReport:
    node = ann.get(row.into)
    if node is None or f"{row.into} (" not in problem or node.origin.op != row.op:
        return row
    return replace(row, kind="unsupported", note=_reason(node.op), change=advice(row.op))


def _reason(op: Op) -> str:
    if isinstance(op, FUNCTIONS):
        return "a real-valued activation"
    return "has no spiking form where it stands" if not isinstance(op, SPIKING) else "cannot be converted"
