"""BatchNorm into the weighted op before it, or into an elementwise affine op."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Affine, BatchNorm, Conv, Dense
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.weighted import scale_output, sole_reader


@final
@dataclass(frozen=True)
class FoldBatchnorm(Rewrite):
    """Folds y = g (x - mean) + beta, g = gamma / sqrt(var + epsilon).

    given:   a Conv or Dense that only a BatchNorm reads
    result:  real weights: weight g, bias g (b - mean) + beta.
             integer weights: they stay; scale |g|, the sign of g goes into the channel's weights, g = 0 leaves a
             channel of zeros, which its bias makes a constant. Thresholds and v0 follow from scale and bias.
    Elsewhere the BatchNorm becomes an Affine.
    """

    name: ClassVar[str] = "fold-batchnorm"
    kinds: ClassVar[tuple[type[Op], ...]] = (BatchNorm,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, BatchNorm)
        factor = op.gamma / np.sqrt(op.var + op.epsilon)
        shift = op.beta - factor * op.mean
        source = graph[node.inputs[0]]
        weighted, rank = source.op, len(graph.shape(node.name))
        if isinstance(weighted, (Conv, Dense)) and (rank == 1 or isinstance(weighted, Conv)):
            if sole_reader(graph, source.name, node):
                graph.replace(source.name, scale_output(weighted, factor, shift))
                graph.remove(node.name, use=source.name)
                return None
            reason = f"{source.name} has other readers"
        else:
            reason = f"{source.name} is a {weighted.name}"
        column = (-1,) + (1,) * (rank - 1)
        graph.replace(node.name, Affine(scale=factor.reshape(column), shift=shift.reshape(column)))
        return f"{reason}; became an affine op"
