"""Sum pooling folded into the synapse behind it, for targets that have no pooling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.ir import Array, Graph, Node, Op, Shape
from onnx2snn.ir.ops import Conv, Dense, Reshape, SumPool
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.weighted import narrowed, sole_reader
from onnx2snn.reference import apply


@final
@dataclass(frozen=True)
class FoldSumpool(Rewrite):
    """Makes one synapse of a sum pool and the weighted op that alone reads it.

    given:   SumPool -> Conv, or SumPool -> [Reshape] -> Dense; before a Conv no padding or overlap in the pool, and
             no rows left over by it where the Conv pads: they would stand in the place of the zeros
    result:  Conv with each kernel entry spread over its window; Dense with each weight at every entry of its window
    """

    name: ClassVar[str] = "fold-sumpool"
    kinds: ClassVar[tuple[type[Op], ...]] = (SumPool,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, SumPool)
        readers = graph.consumers(node.name)
        if len(readers) != 1 or not sole_reader(graph, node.name, readers[0]):
            return "several ops read it"
        (reader,) = readers
        if isinstance(reader.op, Conv):
            return _into_conv(graph, node, op, reader, reader.op)
        if isinstance(reader.op, Reshape):
            return _into_dense(graph, node, op, reader)
        return f"{reader.name} behind it is a {reader.op.name}"


def _into_conv(graph: Graph, node: Node, pool: SumPool, reader: Node, conv: Conv) -> str | None:
    plain = pool.strides == pool.kernel and not any(pool.pads) and set(pool.dilations) == {1}
    if not plain or set(conv.dilations) != {1}:
        return "its windows overlap or have padding or dilation"
    over = [size % kernel for size, kernel in zip(graph.shape(node.inputs[0])[1:], pool.kernel, strict=True)]
    if any(left and pad for left, pad in zip(over, conv.pads[len(over) :], strict=True)):
        return f"its windows leave rows or columns over, and {reader.name} pads behind them"
    weight = conv.weight
    for axis, size in enumerate(pool.kernel, start=2):
        weight = np.repeat(weight, size, axis=axis)
    grown = replace(
        conv,
        weight=weight,
        strides=tuple(s * k for s, k in zip(conv.strides, pool.kernel, strict=True)),
        pads=tuple(p * k for p, k in zip(conv.pads, pool.kernel * 2, strict=True)),
    )
    graph.replace(reader.name, grown, node.inputs)
    return None


def _into_dense(graph: Graph, node: Node, pool: SumPool, flat: Node) -> str | None:
    readers = graph.consumers(flat.name)
    if len(readers) != 1 or not sole_reader(graph, flat.name, readers[0]):
        return f"several ops read {flat.name} behind it"
    (reader,) = readers
    if not isinstance(reader.op, Dense) or len(graph.shape(flat.name)) != 1:
        return f"{reader.name} behind it is a {reader.op.name}"
    shape = graph.shape(node.inputs[0])
    dense = replace(reader.op, weight=_spread(pool, reader.op.weight, shape, graph.shape(node.name)))
    wide = graph.add(graph.fresh(flat.name), Reshape(shape=(int(np.prod(shape)),)), node.inputs, flat.origin)
    graph.replace(reader.name, dense, [wide])
    graph.remove(flat.name, use=wide)
    graph.rename(wide, flat.name)
    return None


def _spread(pool: SumPool, weight: Array, before: Shape, after: Shape) -> Array:
    """Dense weights over the pool's input: column by column what one unit of it adds behind the pool."""
    units = np.eye(int(np.prod(before)), dtype=np.int64).reshape(-1, *before)
    moves = apply(pool, units).reshape(len(units), -1)
    return narrowed(weight.astype(np.float64 if weight.dtype.kind == "f" else np.int64) @ moves.T)
