"""Ops that move numbers, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.ir import Graph, Node, Op, Shape
from onnx2snn.ir.ops import AveragePool, Conv, Dilate, Gather, Pad, Reshape, SumPool, Transpose
from onnx2snn.passes.base import Rewrite


@final
@dataclass(frozen=True)
class MergeMoves(Rewrite):
    """Merges ops that move numbers with their neighbours, and drops those that move nothing.

    given:   two Transposes, Pads or Dilates in a row, or two Gathers along one axis; a Pad in front of a Conv or a
             pool that counts zeros; a Transpose of nothing but axes of size one
    result:  one op; pads of the Conv or pool; a Reshape. What leaves every entry where it is is gone.
    """

    name: ClassVar[str] = "merge-moves"
    kinds: ClassVar[tuple[type[Op], ...]] = (Transpose, Gather, Pad, Dilate, Conv, SumPool, AveragePool)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        source = graph[node.inputs[0]]
        if _moves_nothing(node.op, graph.shape(source.name)):
            graph.remove(node.name, use=source.name)
            return None
        merged = _merged(source.op, node.op)
        if merged is not None:
            graph.replace(node.name, merged, source.inputs)
            return self.rewrite(graph, graph[node.name])
        if isinstance(node.op, Transpose) and _moves_ones(node.op, graph.shape(source.name)):
            graph.replace(node.name, Reshape(shape=graph.shape(node.name)))
        return None


def _moves_nothing(op: Op, shape: Shape) -> bool:
    if isinstance(op, Transpose):
        return op.perm == tuple(range(len(shape)))
    if isinstance(op, Gather):
        return np.array_equal(op.indices, np.arange(shape[op.axis]))
    return isinstance(op, (Pad, Dilate)) and op.infer(shape) == shape


def _moves_ones(op: Transpose, shape: Shape) -> bool:
    """Whether the axes with more than one entry stay in order."""
    kept = [axis for axis in op.perm if shape[axis] > 1]
    return kept == sorted(kept)


def _merged(first: Op, second: Op) -> Op | None:
    if isinstance(first, Transpose) and isinstance(second, Transpose):
        return Transpose(perm=tuple(first.perm[axis] for axis in second.perm))
    if isinstance(first, Gather) and isinstance(second, Gather) and first.axis == second.axis:
        return replace(first, indices=first.indices[second.indices])
    if isinstance(first, Dilate) and isinstance(second, Dilate):
        return Dilate(strides=tuple(a * b for a, b in zip(first.strides, second.strides, strict=True)))
    return _padded(first, second) if isinstance(first, Pad) else None


def _padded(first: Pad, second: Op) -> Op | None:
    if isinstance(second, Pad):
        return Pad(pads=_sum(first.pads, second.pads))
    rank = len(first.pads) // 2
    if first.pads[0] or first.pads[rank]:
        return None
    spatial = (*first.pads[1:rank], *first.pads[rank + 1 :])
    if isinstance(second, AveragePool) and (second.count_padding or not any(second.pads)):
        return replace(second, pads=_sum(spatial, second.pads), count_padding=True)
    return replace(second, pads=_sum(spatial, second.pads)) if isinstance(second, (Conv, SumPool)) else None


def _sum(one: Shape, other: Shape) -> Shape:
    return tuple(a + b for a, b in zip(one, other, strict=True))
