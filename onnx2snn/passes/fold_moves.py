"""Ops that move numbers folded into the dense layer behind them, for targets that keep neurons where they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.ir import Array, Graph, Node, Op
from onnx2snn.ir.ops import MOVES, Dense, Reshape
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.weighted import narrowed, sole_reader
from onnx2snn.reference import apply


@final
@dataclass(frozen=True)
class FoldMoves(Rewrite):
    """Makes one synapse of a chain of moves and the dense layer that alone reads it.

    given:   any Transpose, Gather, Pad, Dilate and Reshape in a row -> Dense over flat features
    result:  [Reshape to flat features ->] Dense with its columns where their inputs were before the moves: added up
             where an entry was repeated, gone where it was left out or new
    """

    name: ClassVar[str] = "fold-moves"
    kinds: ClassVar[tuple[type[Op], ...]] = (Dense,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, Dense)
        chain = _chain(graph, node)
        if all(isinstance(move.op, Reshape) for move in chain):
            return None
        if len(graph.shape(node.inputs[0])) != 1:
            return f"it multiplies {graph.shape(node.inputs[0])}, flat features expected"
        source = chain[0].inputs[0]
        shape = graph.shape(source)
        count = int(np.prod(shape))
        at = np.arange(1, count + 1).reshape(1, *shape)  # zero is what a move puts in
        for move in chain:
            at = apply(move.op, at)
        if len(shape) != 1:
            flat = next((move for move in chain if isinstance(move.op, Reshape)), node)
            source = graph.add(graph.fresh(f"{flat.name}.flat"), Reshape(shape=(count,)), [source], flat.origin)
        graph.replace(node.name, replace(op, weight=_columns(op.weight, at.ravel() - 1, count)), [source])
        return None


def _chain(graph: Graph, node: Node) -> list[Node]:
    """The moves in front of a node, first to last, as far as nothing else reads what is behind them."""
    found: list[Node] = []
    source = graph[node.inputs[0]]
    while isinstance(source.op, MOVES) and sole_reader(graph, source.name, node):
        found.insert(0, source)
        node, source = source, graph[source.inputs[0]]
    return found


def _columns(weight: Array, places: Array, count: int) -> Array:
    """Weights (out, count) whose column places[i] is the sum of all columns i; columns at -1 are gone."""
    made = np.zeros((len(weight), count), np.float64 if weight.dtype.kind == "f" else np.int64)
    kept = places >= 0
    np.add.at(made.T, places[kept], weight[:, kept].T)
    return narrowed(made)
