"""What fewer levels would cost, measured on samples: the choice between timesteps and accuracy of an 8-bit model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Staircase
from onnx2snn.passes import CoarsenStaircases, most_levels, run_passes
from onnx2snn.reference import evaluate

CHOICES = (63, 31, 15, 7, 3)
BATCH = 32


@dataclass(frozen=True)
class LevelCost:
    """The model with at most `levels` levels a staircase, against itself with all of them.

    steps: inject steps of such a network.  agreement: share of samples with the same largest output (None where the
    output is no list of classes).  accuracy: where labels are given.  error: root of the mean squared difference of the
    outputs, relative to their own root mean square.
    """

    levels: int
    steps: int
    agreement: float | None
    accuracy: float | None
    error: float


def level_costs(reference: Graph, x: Array, y: Array | None = None) -> tuple[LevelCost, ...]:
    """The cost of every choice below the levels that the graph of staircases has, itself first."""
    most = most_levels(reference)
    truth = _output(reference, x)
    found = [_cost(most, truth, truth, y)]
    for levels in CHOICES:
        if levels < most and reference.of(Staircase):
            coarse = run_passes(reference, (CoarsenStaircases(levels=levels),))
            found.append(_cost(levels, _output(coarse, x), truth, y))
    return tuple(found)


def _output(graph: Graph, x: Array) -> Array:
    """The first output in float64."""
    parts = [x[start : start + BATCH] for start in range(0, len(x), BATCH)]
    return np.concatenate([evaluate(graph, part)[graph.outputs[0]] for part in parts])


def _cost(levels: int, found: Array, truth: Array, y: Array | None) -> LevelCost:
    size = float(np.sqrt(np.mean(truth**2)))
    error = float(np.sqrt(np.mean((found - truth) ** 2))) / (size or 1.0)
    agreement = accuracy = None
    if found.ndim == 2:
        answers = found.argmax(axis=1)
        agreement = float((answers == truth.argmax(axis=1)).mean())
        accuracy = None if y is None else float((answers == y).mean())
    return LevelCost(levels, levels, agreement, accuracy, error)
