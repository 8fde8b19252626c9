"""What to do about an op that has no spiking form where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from onnx2snn.errors import UsageError
from onnx2snn.ir import Graph, Op
from onnx2snn.ir.ops import AveragePool, BatchNorm, Clip, Quantise, Relu
from onnx2snn.passes.base import Pass
from onnx2snn.reference import tail_nodes

#: the pass that every network with such an op needs
TAKEN_BY: dict[type[Op], str] = {
    BatchNorm: "fold-batchnorm",
    Quantise: "insert-staircases",
    AveragePool: "average-to-sum",
}
HINTS: dict[type[Op], str] = {
    Relu: "a real-valued activation: quantise the model, or calibrate it on data (--calibrate)",
    Clip: "a real-valued activation: quantise the model, or calibrate it on data (--calibrate)",
    **{kind: f"pass {name} has to come before" for kind, name in TAKEN_BY.items()},
}


def check_complete(recipe: Sequence[Pass], made: Graph) -> None:
    """Raises `UsageError` where a recipe lacks passes for ops that it left in `made`, the graph of staircases to be."""
    names, tail = {step.name for step in recipe}, tail_nodes(made)
    left = {kind: [node for node in made.of(kind) if node.name not in tail] for kind in TAKEN_BY}
    lacking = [kind for kind, nodes in left.items() if nodes and TAKEN_BY[kind] not in names]
    if lacking:
        expected = " and ".join(TAKEN_BY[kind] for kind in lacking)
        found = " and ".join(f"{len(left[kind])} {kind.__name__}" for kind in lacking)
        raise UsageError(f"`passes`: {expected} expected in the recipe before map-neurons, found {found} left")
