"""What rounding the weights of a model costs, measured on samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Staircase
from onnx2snn.passes import QuantiseWeights, Recipe, run_passes
from onnx2snn.reference import evaluate

MEASURED = "measured cost of rounded weights"  #: how its line among the notes of a network begins


@dataclass(frozen=True)
class WeightCost:
    """The network of staircases with rounded weights against the same one with the model's.

    agreement: share of samples with the same largest output; None where the output is no list of classes.
    differing: of every staircase, the share of counts that differ.  worst: the largest difference of one.
    """

    samples: int
    agreement: float | None
    differing: dict[str, float]
    worst: dict[str, int]

    def __str__(self) -> str:
        same = "" if self.agreement is None else f"same answer on {self.agreement:.2%}; "
        counts = ", ".join(f"{name} {share:.2%} by up to {self.worst[name]}" for name, share in self.differing.items())
        return f"{MEASURED}, {self.samples} samples: {same}counts that differ: {counts or 'none'}"


def weight_cost(ann: Graph, recipe: Recipe, rounded: Graph, batches: Iterable[Array]) -> WeightCost:
    """Compares `rounded`, which `recipe` makes of `ann`, with what it makes without `quantise-weights`."""
    exact = run_passes(ann, tuple(step for step in recipe if not isinstance(step, QuantiseWeights)))
    steps = {node.name: node.op for node in rounded.of(Staircase) if _alike(exact, rounded, node.name)}
    samples, agree, compared = 0, 0, 0
    counts, differing, worst = Counter[str](), Counter[str](), dict.fromkeys(steps, 0)
    for x in batches:
        samples += len(x)
        found, wanted = evaluate(rounded, x), evaluate(exact, x)
        for name, op in steps.items():
            assert isinstance(op, Staircase)
            apart = np.abs(np.rint((found[name] - wanted[name]) / op.scale))
            counts[name] += apart.size
            differing[name] += int(np.count_nonzero(apart))
            worst[name] = max(worst[name], int(apart.max(initial=0)))
        answers, expected = found[rounded.outputs[0]], wanted[exact.outputs[0]]
        if answers.ndim == 2 and answers.shape[1] > 1:
            compared += len(x)
            agree += int((answers.argmax(axis=1) == expected.argmax(axis=1)).sum())
    agreement = agree / compared if compared else None
    return WeightCost(samples, agreement, {name: differing[name] / max(1, counts[name]) for name in steps}, worst)


def _alike(exact: Graph, rounded: Graph, name: str) -> bool:
    """Whether both graphs have the staircase, with the same scale."""
    one, other = exact.get(name), rounded[name].op
    if one is None or not isinstance(one.op, Staircase) or not isinstance(other, Staircase):
        return False
    return np.array_equal(one.op.scale, other.scale)
