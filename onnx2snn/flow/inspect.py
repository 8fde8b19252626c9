"""What was understood of a model, node by node, before anything is converted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from onnx2snn.analysis.certificate import Certificate, certify
from onnx2snn.errors import Onnx2SnnError, UnsupportedOpError
from onnx2snn.frontends.onnx import Record, list_nodes, read_onnx
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Clip, Conv, Dense, Encoder, Quantise, Relu, Staircase
from onnx2snn.passes import CODES, STAIRCASES, LiftQuantisers, MakeInteger, MapNeurons, most_levels, run_passes
from onnx2snn.reference import settle_bound

NodeClass = Literal["exact", "bounded", "analog", "unsupported"]
CALIBRATE = "a real-valued activation: give --calibrate DATA.npz to convert, or quantise the model"


@dataclass(frozen=True)
class NodeReport:
    """One ONNX node and what was understood of it.

    into: the IR node it went into, "" where it became a constant.  kind: None where reading stopped before it could be
    judged.  bits, scale, low, high, rounding: of quantisers and integer weights; scale is the smallest, if several.
    scales: how many there are, one for each channel or one for all.
    """

    node: str
    op: str
    domain: str
    into: str = ""
    dialect: str = ""
    kind: NodeClass | None = None
    bits: int | None = None
    scale: float | None = None
    scales: int | None = None
    low: int | None = None
    high: int | None = None
    rounding: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Inspection:
    """All nodes, the inject steps each code needs, and the certificate of the default conversion."""

    summary: str
    nodes: tuple[NodeReport, ...]
    steps: dict[str, str]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything converts."""
        return not self.problems


def inspect(model: str | Path) -> Inspection:
    """Reads a model and says of every node what became of it.

    Raises `ModelError` only where there is nothing to list: the file is missing or broken.
    """
    path = Path(model)
    try:
        reading = read_onnx(path)
    except UnsupportedOpError as error:
        return _unread(path, str(error))
    except Onnx2SnnError as error:
        if not error.path or len(error.path) < 2:
            raise
        return _unread(path, str(error))
    lifted = LiftQuantisers()(reading.graph)
    open_ended = {node.name for node in lifted.of(Relu, Clip) if _continuous(lifted, node.name)}
    try:
        reference = run_passes(reading.graph, STAIRCASES)
        certificate, steps = _certificate(reference)
    except Onnx2SnnError as error:
        return _unconverted(reading.records, reading.graph, open_ended, str(error))
    rows = tuple(_row(record, reading.graph, reference, certificate) for record in reading.records)
    return Inspection(_summary(rows, steps["st-bif"]), rows, steps, ())


def _certificate(reference: Graph) -> tuple[Certificate, dict[str, str]]:
    levels = most_levels(reference)
    graph = run_passes(reference, (MapNeurons(steps=levels),))
    kinds = {node.op.weight.dtype.kind for node in reference.of(Conv, Dense) if isinstance(node.op, (Conv, Dense))}
    if kinds <= {"i"}:
        graph = run_passes(graph, (MakeInteger(steps=levels),))
    settle = settle_bound(graph, levels)
    signed = any(node.op.lo < 0 for node in reference.of(Staircase) if isinstance(node.op, Staircase))
    steps = {code: f"{levels} + settle (at most {settle})" if code == "st-bif" else str(levels) for code in CODES}
    if signed:
        steps["if"] = "cannot hold negative counts"
    return certify(reference, graph, levels), steps


def _continuous(graph: Graph, name: str) -> bool:
    """Whether no quantiser stands before or behind a Relu or Clip."""
    if isinstance(graph[graph[name].inputs[0]].op, Quantise):
        return False
    readers = graph.consumers(name)
    return not readers or any(not isinstance(reader.op, (Quantise, Relu, Clip)) for reader in readers)


def _row(record: Record, ann: Graph, reference: Graph, certificate: Certificate) -> NodeReport:
    verdicts = {v.name: v for v in certificate.verdicts}
    verdict = verdicts.get(record.into)
    kind: NodeClass = verdict.exactness if verdict is not None else "exact"
    note = verdict.reason if verdict is not None else ("constant" if not record.into else "folded into its neighbours")
    note = "; ".join(part for part in (record.note, note) if part)
    return replace(_described(record, ann, reference), kind=kind, note=note)


def _described(record: Record, ann: Graph, reference: Graph | None = None) -> NodeReport:
    """The node with what is known of its grid, not judged yet."""
    row = NodeReport(record.node, record.op, record.domain, record.into, note=record.note)
    node = ann.get(record.into)
    op = None if node is None else node.op
    if isinstance(op, Quantise):
        kept = None if reference is None else reference.get(record.into)
        low, high = op.qmin - op.zero_point, op.qmax - op.zero_point
        if kept is not None and isinstance(kept.op, (Staircase, Encoder)):
            low, high = kept.op.lo, kept.op.hi
        bits, dialect = (high - low).bit_length(), _dialect(op)
        row = replace(row, scale=float(op.scale.min()), scales=op.scale.size)
        return replace(row, dialect=dialect, bits=bits, low=low, high=high, rounding=op.rounding)
    if isinstance(op, (Conv, Dense)) and op.scale is not None and record.op in ("Conv", "Gemm", "MatMul"):
        low, high = int(op.weight.min()), int(op.weight.max())
        bits = max(abs(low), abs(high)).bit_length() + 1
        row = replace(row, scale=float(op.scale.min()), scales=op.scale.size)
        return replace(row, dialect="integer weights", bits=bits, low=low, high=high)
    return row


def _dialect(op: Quantise) -> str:
    return "qdq" if op.qmax - op.qmin + 1 in (1 << 8, 1 << 16) else "qcdq"


def _unread(path: Path, problem: str) -> Inspection:
    rows = tuple(
        NodeReport(
            node.name,
            node.op,
            node.domain,
            kind="unsupported" if not node.known or f"'{node.name}'" in problem else None,
            note="" if node.known else "no rule reads this op",
        )
        for node in list_nodes(path)
    )
    return Inspection(_summary(rows, None), rows, {}, (problem,))


def _unconverted(records: tuple[Record, ...], ann: Graph, open_ended: set[str], problem: str) -> Inspection:
    rows = tuple(
        replace(_described(record, ann), kind="unsupported", note=CALIBRATE)
        if record.into in open_ended and record.op in ("Relu", "Clip")
        else _described(record, ann)
        for record in records
    )
    return Inspection(_summary(rows, None), rows, {}, (problem,))


def _summary(rows: tuple[NodeReport, ...], steps: str | None) -> str:
    kinds = ("exact", "bounded", "analog", "unsupported", None)
    counts = {kind or "not judged": sum(row.kind == kind for row in rows) for kind in kinds}
    parts = [f"{count} {kind}" for kind, count in counts.items() if count]
    if steps is None:
        return f"{len(rows)} nodes: {', '.join(parts) or 'none'}; not convertible as it is"
    return f"{len(rows)} nodes: {', '.join(parts) or 'none'}; T = {steps}"
