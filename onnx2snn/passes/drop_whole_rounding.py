"""Integer networks spelled in real numbers round what is whole already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnx2snn.analysis.whole import ROUNDING, Whole, whole_values
from onnx2snn.ir import Graph, Node
from onnx2snn.ir.ops import Conv, Dense, Input, Quantise, Unary
from onnx2snn.passes.base import Pass

WIDEST = 1 << 15  #: counts of an input that is read as whole numbers lie from -2^15 to 2^15 - 1


@final
@dataclass(frozen=True)
class DropWholeRounding(Pass):
    """Removes rounding of values that are whole for certain, as NEMO and DORY spell integer networks.

    given:   Unary truncate, floor, round or ceil of a value that whole weights, shifts and factors make of whole ones
    result:  the same without it. Where that hangs on the network's input alone, and a cast to integers of a weighted
             layer's result is followed by another rounding, so that it has no meaning but for whole inputs, a
             quantiser of step 1 behind the input says that they are.
    """

    name: ClassVar[str] = "drop-whole-rounding"

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        known = whole_values(graph)
        if any(known[node.inputs[0]] == Whole.IF_INPUT and _casts(graph, node) for node in graph.of(Unary)):
            notes += [_read_whole(graph, node) for node in graph.of(Input)]
            known = whole_values(graph)
        for node in graph.of(Unary):
            if isinstance(node.op, Unary) and node.op.function in ROUNDING:
                source = graph[node.name].inputs[0]
                if known[source] == Whole.YES:
                    graph.remove(node.name, use=source)
        return graph


def _casts(graph: Graph, node: Node) -> bool:
    """Whether a node is a cast of a weighted result to integers that another rounding follows before more weights."""
    if not isinstance(node.op, Unary) or node.op.function != "truncate":
        return False
    before = graph[node.inputs[0]]
    while not isinstance(before.op, (Conv, Dense)):
        if len(before.inputs) != 1:
            return False
        before = graph[before.inputs[0]]
    return _rounds_behind(graph, node)


def _rounds_behind(graph: Graph, node: Node) -> bool:
    readers = graph.consumers(node.name)
    if len(readers) != 1 or isinstance(readers[0].op, (Conv, Dense)):
        return False
    op = readers[0].op
    return (isinstance(op, Unary) and op.function in ROUNDING) or _rounds_behind(graph, readers[0])


def _read_whole(graph: Graph, node: Node) -> str:
    unit = Quantise(scale=np.ones(()), zero_point=0, qmin=-WIDEST, qmax=WIDEST - 1)
    reader = graph.add(graph.fresh(f"{node.name}.whole"), unit, [node.name])
    for consumer in {found.name for found in graph.consumers(node.name)} - {reader}:
        found = graph[consumer]
        graph.replace(consumer, found.op, [reader if source == node.name else source for source in found.inputs])
    return f"{node}: input read as whole numbers"
