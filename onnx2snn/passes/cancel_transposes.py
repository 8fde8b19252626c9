"""Transposes that undo each other behind elementwise ops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, cast, final

import numpy as np

from onnx2snn.ir import Array, Graph, Node, Op, Shape
from onnx2snn.ir.ops import (
    Add,
    Affine,
    Clip,
    Combination,
    Concat,
    LeakyRelu,
    Quantise,
    Relu,
    Staircase,
    Transpose,
    Unary,
)
from onnx2snn.passes.base import Rewrite

ELEMENTWISE: tuple[type[Op], ...] = (
    *(Relu, Clip, LeakyRelu, Unary, Affine, Quantise, Staircase),
    *(Add, Concat, Combination),
)


@final
@dataclass(frozen=True)
class CancelTransposes(Rewrite):
    """Computes elementwise ops between a transpose and its inverse in the order of axes outside.

    given:   Transposes of one order -> any elementwise ops, sums and concats -> Transposes back to the order before
             them, as exporters between channels-last and channels-first write them
    result:  the ops without Transposes around them; scales a channel and the axis of a Concat follow. What stands on
             no tensor of the model any more names none.
    """

    name: ClassVar[str] = "cancel-transposes"
    kinds: ClassVar[tuple[type[Op], ...]] = (Transpose,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, Transpose)
        for reader in graph.consumers(node.name):
            if reader.name in graph and isinstance(reader.op, ELEMENTWISE):
                region = _region(graph, reader, op.perm)
                if region is not None:
                    _reorder(graph, region, op.perm)
        return None


def _region(graph: Graph, start: Node, perm: Shape) -> list[str] | None:
    """The elementwise ops around `start` up to Transposes of this order and back from it; None: something else."""
    found, waiting = dict.fromkeys([start.name]), [start]
    back = inverse(perm)
    while waiting:
        node = waiting.pop()
        sources = [graph[source] for source in node.inputs if not _transposes(graph[source].op, perm)]
        readers = [reader for reader in graph.consumers(node.name) if not _transposes(reader.op, back)]
        for other in (*sources, *readers):
            if not isinstance(other.op, ELEMENTWISE):
                return None
            if other.name not in found:
                found[other.name] = None
                waiting.append(other)
    return None if any(name in graph.outputs for name in found) else [n.name for n in graph if n.name in found]


def _transposes(op: Op, perm: Shape) -> bool:
    return isinstance(op, Transpose) and op.perm == perm


def _reorder(graph: Graph, region: list[str], perm: Shape) -> None:
    before = {source for name in region for source in graph[name].inputs if isinstance(graph[source].op, Transpose)}
    after = {name: _back(graph, name, perm) for name in region}
    made: dict[str, str] = {}
    for name in region:  # beside the old ones, because no op can read two orders
        node = graph[name]
        sources = [graph[s].inputs[0] if s in before else made[s] for s in node.inputs]
        tensor = after[name][0].origin.tensor if after[name] else ""
        origin = replace(node.origin, tensor=tensor)
        made[name] = graph.add(graph.fresh(f"{name}.moved"), _moved(node.op, perm), sources, origin)
    for name in region:
        for reader in after[name]:
            graph.remove(reader.name, use=made[name])
    for name in reversed(region):
        graph.remove(name, use=made[name])
        graph.rename(made[name], name)


def _back(graph: Graph, name: str, perm: Shape) -> list[Node]:
    return [reader for reader in graph.consumers(name) if _transposes(reader.op, inverse(perm))]


def _moved(op: Op, perm: Shape) -> Op:
    """The op on features whose axes are not in the order of `perm` yet."""
    if isinstance(op, Concat):
        return replace(op, axis=perm[op.axis])
    arrays = {key: cast(Array, value) for key, value in op.parameters().items() if isinstance(value, np.ndarray)}
    return replace(op, **{key: _unordered(array, perm) for key, array in arrays.items()})


def _unordered(array: Array, perm: Shape) -> Array:
    if array.size == 1:
        return array.reshape(())
    return array.reshape((1,) * (len(perm) - array.ndim) + array.shape).transpose(inverse(perm))


def inverse(perm: Shape) -> Shape:
    """The order of axes that undoes `perm`."""
    return tuple(sorted(range(len(perm)), key=perm.__getitem__))
