"""What was understood of a model, node by node, before anything is converted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from onnx2snn.analysis.certificate import Certificate, certify
from onnx2snn.errors import Onnx2SnnError, UnsupportedOpError
from onnx2snn.frontends.onnx import Record, list_nodes, read_onnx
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Clip, Conv, Dense, Encoder, Quantise, Relu, Staircase
from onnx2snn.passes import CODES, STAIRCASES, MakeInteger, MapNeurons, most_levels, run_passes
from onnx2snn.reference import settle_bound

NodeClass = Literal["exact", "bounded", "analog", "unsupported"]
CALIBRATE = "a real-valued activation: give --calibrate DATA.npz to convert, or quantise the model"


@dataclass(frozen=True)
class NodeReport:
    """One ONNX node. bits, scale, low, high, rounding: of quantisers and integer weights; scale the smallest, if several."""

    node: str
    op: str
    domain: str
    dialect: str
    into: str
    kind: NodeClass
    bits: int | None = None
    scale: float | None = None
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
    open_ended = {node.name for node in reading.graph.of(Relu, Clip) if _continuous(reading.graph, node.name)}
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
    return _described(record, ann, kind, note, reference)


def _described(record: Record, ann: Graph, kind: NodeClass, note: str, reference: Graph | None = None) -> NodeReport:
    base = {"node": record.node, "op": record.op, "domain": record.domain, "into": record.into, "kind": kind, "note": note}
    op = ann[record.into].op if record.into in ann else None
    after = reference[record.into].op if reference is not None and record.into in reference else None
    if isinstance(after, (Staircase, Encoder)) and isinstance(op, Quantise):
        return NodeReport(**base, dialect=_dialect(op), bits=int(after.hi - after.lo).bit_length(), scale=float(np.min(after.scale)), low=after.lo, high=after.hi, rounding=after.rounding)  # fmt: skip
    if isinstance(op, Quantise):
        low, high = op.qmin - op.zero_point, op.qmax - op.zero_point
        return NodeReport(**base, dialect=_dialect(op), bits=int(high - low).bit_length(), scale=float(np.min(op.scale)), low=low, high=high, rounding=op.rounding)  # fmt: skip
    if isinstance(op, (Conv, Dense)) and op.scale is not None and record.op in ("Conv", "Gemm", "MatMul"):
        low, high = int(op.weight.min()), int(op.weight.max())
        return NodeReport(**base, dialect="integer weights", bits=max(abs(low), abs(high)).bit_length() + 1, scale=float(np.min(op.scale)), low=low, high=high)  # fmt: skip
    return NodeReport(**base, dialect="")


def _dialect(op: Quantise) -> str:
    return "qdq" if op.qmax - op.qmin + 1 in (1 << 8, 1 << 16) else "qcdq"


def _unread(path: Path, problem: str) -> Inspection:
    rows = tuple(
        NodeReport(
            node=node.name,
            op=node.op,
            domain=node.domain,
            dialect="",
            into="",
            kind="exact" if node.known and f"'{node.name}'" not in problem else "unsupported",
            note="" if node.known else "no rule reads this op",
        )
        for node in list_nodes(path)
    )
    return Inspection(_summary(rows, None), rows, {}, (problem,))


def _unconverted(records: tuple[Record, ...], ann: Graph, open_ended: set[str], problem: str) -> Inspection:
    rows = tuple(
        _described(record, ann, "unsupported", CALIBRATE)
        if record.into in open_ended and record.op in ("Relu", "Clip")
        else _described(record, ann, "exact", "")
        for record in records
    )
    return Inspection(_summary(rows, None), rows, {}, (problem,))


def _summary(rows: tuple[NodeReport, ...], steps: str | None) -> str:
    counts = {kind: sum(row.kind == kind for row in rows) for kind in ("exact", "bounded", "analog", "unsupported")}
    parts = [f"{count} {kind}" for kind, count in counts.items() if count]
    if steps is None:
        return f"{len(rows)} nodes: {', '.join(parts) or 'none'}; not convertible as it is"
    return f"{len(rows)} nodes: {', '.join(parts) or 'none'}; T = {steps}"
