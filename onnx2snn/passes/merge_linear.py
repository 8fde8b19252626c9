"""Chains of linear ops that are one op."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.ir import Array, Graph, Node, Op
from onnx2snn.ir.ops import MOVES, Affine, Conv, Dense, Dilate, Pad, Reshape
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.weighted import per_channel, scale_output, sole_reader


@final
@dataclass(frozen=True)
class MergeLinear(Rewrite):
    """Merges neighbouring linear ops.

    given:   Affine after Conv or Dense, Affine after Affine, a plain scaling before Conv, Dense or an op that moves
             numbers, Reshape after Reshape, Dense after Dense with real weights
    result:  one op; integer weights stay integer
    """

    name: ClassVar[str] = "merge-linear"
    kinds: ClassVar[tuple[type[Op], ...]] = (Affine, *MOVES, Conv, Dense)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        source = graph[node.inputs[0]]
        if isinstance(node.op, Reshape) and graph.shape(source.name) == graph.shape(node.name):
            graph.remove(node.name, use=source.name)
            return None
        if not sole_reader(graph, source.name, node):
            return f"{source.name} has other readers" if isinstance(source.op, self.kinds) else None
        if isinstance(source.op, Affine) and isinstance(node.op, MOVES):
            return _swap(graph, source, node)
        merged = _merged(source.op, node.op, len(graph.shape(node.name)))
        if merged is None:
            return None
        keeps = source if isinstance(node.op, (Affine, Reshape)) else node
        graph.replace(keeps.name, merged, source.inputs)
        if keeps is source:
            graph.remove(node.name, use=source.name)
        return None


def _merged(first: Op, second: Op, rank: int) -> Op | None:
    if isinstance(first, Reshape) and isinstance(second, Reshape):
        return second
    if isinstance(second, Affine):
        return _into_affine(first, second, rank)
    if isinstance(first, Affine) and isinstance(second, (Conv, Dense)):
        return _scale_input(first, second)
    if isinstance(first, Dense) and isinstance(second, Dense) and first.scale is None and second.scale is None:
        bias = None if first.bias is None else second.weight @ first.bias
        return Dense(weight=second.weight @ first.weight, bias=_plus(bias, second.bias))
    return None


def _into_affine(first: Op, second: Affine, rank: int) -> Op | None:
    if isinstance(first, Affine):
        shift = first.shift if second.scale is None or first.shift is None else first.shift * second.scale
        return Affine(scale=_times(first.scale, second.scale), shift=_plus(shift, second.shift))
    if not isinstance(first, (Conv, Dense)):
        return None
    factor = np.ones(len(first.weight)) if second.scale is None else per_channel(second.scale, first, rank)
    shift = np.zeros(len(first.weight)) if second.shift is None else per_channel(second.shift, first, rank)
    return None if factor is None or shift is None else scale_output(first, factor, shift)


def _scale_input(first: Affine, second: Conv | Dense) -> Op | None:
    """A scalar factor goes through any weighted op; shifts stay, because zero padding would not see them."""
    if first.shift is not None or first.scale is None or first.scale.size != 1:
        return None
    factor = np.full(len(second.weight), first.scale.item())
    scaled = scale_output(replace(second, bias=None), factor, np.zeros(len(second.weight)))
    return replace(scaled, bias=second.bias)


def _swap(graph: Graph, affine: Node, move: Node) -> str | None:
    """A scalar affine op commutes with a move and goes behind it, nearer to what can take it."""
    op = affine.op
    assert isinstance(op, Affine)
    if op.shift is not None and isinstance(move.op, (Pad, Dilate)):
        return "new zeros are not shifted"
    if any(array is not None and array.size != 1 for array in (op.scale, op.shift)):
        return None
    flat = Affine(
        scale=None if op.scale is None else op.scale.reshape(()),
        shift=None if op.shift is None else op.shift.reshape(()),
    )
    graph.replace(move.name, move.op, affine.inputs)
    for reader in graph.consumers(move.name):
        for slot, source in enumerate(reader.inputs):
            if source == move.name:
                graph.insert_before(reader.name, flat, affine.name, slot)
    if move.name in graph.outputs:
        moved = graph.add(graph.fresh(affine.name), flat, [move.name], affine.origin)
        graph.outputs = tuple(moved if name == move.name else name for name in graph.outputs)
    return None


def _times(a: Array | None, b: Array | None) -> Array | None:
    return b if a is None else a if b is None else a * b


def _plus(a: Array | None, b: Array | None) -> Array | None:
    return b if a is None else a if b is None else a + b
