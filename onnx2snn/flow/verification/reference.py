"""The trained network's own counts: what a spiking network is measured against."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from onnx2snn.flow.whole_inputs import as_read
from onnx2snn.frontends.onnx import executor
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Staircase
from onnx2snn.reference import evaluate


@dataclass(frozen=True)
class Truth:
    """outputs: (N, ...) each, of the model.  counts: by staircase, int64 (N, *features).

    real: where the network is quantised otherwise than the model, what the model has in place of the staircases' own
    values, in steps of them; float64 by staircase.
    """

    outputs: tuple[Array, ...]
    counts: dict[str, Array]
    real: dict[str, Array] = field(default_factory=dict[str, Array])


class OnnxTruth:
    """Outputs and counts by what runs the model, inner tensors read off its own quantisers.

    Where the network reads whole numbers that the model does not round, the model gets the rounded ones.

    Where no tensor of the model holds the output of a staircase (a part of one with steps of its own), and wherever the
    network is quantised otherwise than the model (`calibrated`), the counts are the staircases' own, worked out in
    float64.
    """

    def __init__(self, model: Path, reference: Graph, calibrated: bool = False) -> None:
        self.reference = reference
        self.calibrated = calibrated
        self.tensors = {node.name: node.origin.tensor for node in reference.of(Staircase) if node.origin.tensor}
        self.session = executor(model, tuple(self.tensors.values()))

    def of(self, x: Array) -> Truth:
        """Runs a batch."""
        values = self.session.run(as_read(self.reference, x))
        outputs = tuple(values[name] for name in self.session.outputs)
        steps = {name: self._steps(name, values[tensor]) for name, tensor in self.tensors.items()}
        if self.calibrated:
            return Truth(outputs, exact_counts(self.reference, x), steps)
        counts = {name: np.rint(values).astype(np.int64) for name, values in steps.items()}
        if len(counts) < len(self.reference.of(Staircase)):
            counts = exact_counts(self.reference, x) | counts
        return Truth(outputs, counts)

    def _steps(self, name: str, values: Array) -> Array:
        op = self.reference[name].op
        assert isinstance(op, Staircase)
        return values.astype(np.float64).reshape(len(values), *self.reference.shape(name)) / op.scale


def exact_counts(reference: Graph, x: Array) -> dict[str, Array]:
    """The same counts in float64, where float32 rounding cannot decide a near tie."""
    values = evaluate(reference, x)
    stairs = [(node.name, node.op) for node in reference.of(Staircase) if isinstance(node.op, Staircase)]
    return {name: np.rint(values[name] / op.scale).astype(np.int64) for name, op in stairs}
