"""Average pooling as a sum of spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Affine, AveragePool, SumPool
from onnx2snn.passes.base import Rewrite
from onnx2snn.reference.windows import average_divisor


@final
@dataclass(frozen=True)
class AverageToSum(Rewrite):
    """Splits an average into a sum and a scaling that goes onward.

    given:   AveragePool over k entries
    result:  SumPool -> Affine(scale = 1 / k), one k for each place where padding does not count
    """

    name: ClassVar[str] = "average-to-sum"
    kinds: ClassVar[tuple[type[Op], ...]] = (AveragePool,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, AveragePool)
        divisor = average_divisor(op, graph.shape(node.inputs[0]))
        total = SumPool(kernel=op.kernel, strides=op.strides, pads=op.pads, dilations=op.dilations)
        made = graph.add(graph.fresh(f"{node.name}.sum"), total, node.inputs)
        scale = 1.0 / divisor
        graph.replace(node.name, Affine(scale=scale if scale.size > 1 else scale.reshape(())), [made])
        return None
