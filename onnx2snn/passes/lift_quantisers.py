"""A quantiser stands at the activation that it quantises."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Clip, Concat, Gather, MaxPool, Quantise, Relu, Reshape, Transpose
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.weighted import sole_reader

MOVING = (MaxPool, Reshape, Transpose, Gather)


@final
@dataclass(frozen=True)
class LiftQuantisers(Rewrite):
    """Moves a quantiser to the Relu or Clip before it, past ops that only move numbers or choose among them.

    given:   Relu | Clip -> any MaxPool, Reshape, Transpose and Gather, each read by nothing else -> Quantise, one scale
    result:  Relu | Clip -> Quantise -> the same ops
    given:   Concat, of which a branch ends with a Relu or Clip, read by nothing else -> Quantise, one scale
    result:  a quantiser at each branch -> Concat
    Rounding is monotone and the same for every entry, so it commutes with all of them.
    """

    name: ClassVar[str] = "lift-quantisers"
    kinds: ClassVar[tuple[type[Op], ...]] = (Quantise,)

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        source = graph[node.inputs[0]]
        if isinstance(source.op, Concat) and sole_reader(graph, source.name, node):
            return self._spread(graph, source, node)
        chain = _chain(graph, node)
        if chain is None:
            return None
        if any(isinstance(reader.op, (Relu, Clip)) for reader in graph.consumers(node.name)):
            return "a Relu or Clip behind it belongs to it"
        assert isinstance(node.op, Quantise)
        if node.op.scale.size != 1:
            return "one scale for all channels expected"
        lifted = graph.insert_before(chain[-1].name, replace(node.op, scale=node.op.scale.reshape(())), node.name)
        tensor = node.origin.tensor
        for moving in chain:
            graph.annotate(moving.name, replace(moving.origin, tensor=tensor))
            tensor = tensor if isinstance(moving.op, Reshape) else ""  # a reshaped tensor holds the same numbers
        graph.annotate(lifted, replace(node.origin, tensor=tensor))
        graph.remove(node.name, use=node.inputs[0])
        graph.rename(lifted, node.name)
        return None

    def _spread(self, graph: Graph, concat: Node, node: Node) -> str | None:
        """Quantises the branches instead of what they are put together to."""
        assert isinstance(node.op, Quantise)
        if node.op.scale.size != 1 or not any(_active(graph, graph[branch]) for branch in concat.inputs):
            return None
        op = replace(node.op, scale=node.op.scale.reshape(()))
        made = [graph.insert_before(concat.name, op, node.name, slot) for slot in range(len(concat.inputs))]
        graph.annotate(concat.name, replace(concat.origin, tensor=node.origin.tensor))
        for name in made:
            graph.annotate(name, replace(node.origin, tensor=""))
        graph.remove(node.name, use=concat.name)
        for name in made:
            self.rewrite(graph, graph[name])
        return None


def _active(graph: Graph, node: Node) -> bool:
    """Whether a Relu or Clip makes this value, perhaps moved since."""
    while isinstance(node.op, MOVING):
        node = graph[node.inputs[0]]
    return isinstance(node.op, (Relu, Clip))


def _chain(graph: Graph, node: Node) -> list[Node] | None:
    """The moving ops between a quantiser and the activation before it, the last one first; None where it has none."""
    chain: list[Node] = []
    reader, source = node, graph[node.inputs[0]]
    while isinstance(source.op, MOVING) and sole_reader(graph, source.name, reader):
        chain.append(source)
        reader, source = source, graph[source.inputs[0]]
    return chain if chain and isinstance(source.op, (Relu, Clip)) else None
