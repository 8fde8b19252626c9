"""What was understood of a trained spiking network, node by node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from onnx2snn.analysis.imported import certify_imported
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.flow.conversion.options import MOST_STEPS
from onnx2snn.flow.inspection.report import Inspection, NodeReport, summary
from onnx2snn.flow.reading import read_model
from onnx2snn.frontends.reading import Reading, Record
from onnx2snn.ir import Array, Graph, Op
from onnx2snn.ir.ops import LIF, Conv, Dense, Neuron
from onnx2snn.passes import IMPORTED, InjectSteps, MakeInteger, run_passes

if TYPE_CHECKING:
    from onnx2snn.frontends.nir import Discretisation

STEPS = 16  #: of the run that is judged, where the file says nothing


def inspect_imported(path: Path, how: Discretisation | None = None) -> Inspection:
    """As `inspect`: every node of a NIR file, its neurons in numbers, and what whole numbers would keep of it."""
    try:
        reading = read_model(path, how)
    except Onnx2SnnError as error:
        if len(error.path) < 2 and not str(error.message).startswith("unsupported"):
            raise
        return Inspection("not convertible as it is", (), problems=error.lines)
    steps = min(reading.steps or STEPS, MOST_STEPS)
    try:
        reference = run_passes(reading.graph, (*IMPORTED, InjectSteps(steps)))
        graph = reference
        if all(n.op.weight.dtype.kind == "i" for n in reference.of(Conv, Dense) if isinstance(n.op, (Conv, Dense))):
            graph = run_passes(reference, (MakeInteger(steps=steps, timed=True),))
        certificate = certify_imported(reference, graph, steps, 0)
    except Onnx2SnnError as error:
        return Inspection("not convertible as it is", (), problems=error.lines, notes=reading.notes)
    verdicts = {verdict.name: verdict for verdict in certificate.verdicts}
    rows: list[NodeReport] = []
    for record in reading.records:
        verdict, note = verdicts.get(record.into), _note(reading, record)
        reason = "" if verdict is None else verdict.reason
        kind = "exact" if verdict is None else verdict.exactness
        row = NodeReport(record.node, record.op, record.domain, record.into, "nir", kind)
        rows.append(_with_grid(row, reference, "; ".join(text for text in (note, reason) if text)))
    code = next((node.op.code for node in reading.graph.of(Neuron) if isinstance(node.op, Neuron)), "if")
    said = f"{steps}, as its file says" if reading.steps else f"as convert --steps says; judged for {STEPS}"
    return Inspection(summary(tuple(rows), str(steps)), tuple(rows), {code: said}, notes=reading.notes)


def _note(reading: Reading, record: Record) -> str:
    """A neuron in numbers, and how the file was read, which decides them."""
    node = reading.graph.get(record.into)
    if node is None or not isinstance(node.op, Neuron):
        return ""
    op = node.op
    leak = f", keeps {op.decay:.6g} a step, resets to {op.reset}" if isinstance(op, LIF) else ", subtracts it"
    held = f", its current keeps {op.current_decay:.6g} a step" if isinstance(op, LIF) and op.lingers else ""
    return f"fires from {_range(op.theta)}{leak}{held}, read as {reading.settings}"


def _range(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _with_grid(row: NodeReport, reference: Graph, note: str) -> NodeReport:
    kept = reference.get(row.into)
    op: Op | None = None if kept is None else kept.op
    if isinstance(op, (Conv, Dense)) and op.scale is not None:
        low, high = int(op.weight.min()), int(op.weight.max())
        bits = max(abs(low), abs(high)).bit_length() + 1
        row = replace(row, low=low, high=high, bits=bits, scale=float(op.scale.min()), scales=op.scale.size)
    return replace(row, note=note)
