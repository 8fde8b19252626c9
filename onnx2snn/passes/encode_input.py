"""The quantiser of the input becomes the encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import MOVES, Affine, Encoder, Input, MaxPool, Staircase
from onnx2snn.passes.base import Rewrite


@final
@dataclass(frozen=True)
class EncodeInput(Rewrite):
    """Turns a staircase over the plain input into an encoder: no neuron, a constant current of whole counts.

    given:   Input -> any Affine, MaxPool and op that moves numbers -> Staircase
    result:  Encoder in place of the staircase
    Where no quantiser stands there, the first synapse stays real-valued (`analog`).
    """

    name: ClassVar[str] = "encode-input"
    kinds: ClassVar[tuple[type[Op], ...]] = (Staircase,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op, source = node.op, graph[node.inputs[0]]
        assert isinstance(op, Staircase)
        while isinstance(source.op, (Affine, MaxPool, *MOVES)):
            source = graph[source.inputs[0]]
        if isinstance(source.op, Input):
            encoder = Encoder(scale=op.scale, lo=op.lo, hi=op.hi, rounding=op.rounding, value=op.scale)
            graph.replace(node.name, encoder)
        return None
