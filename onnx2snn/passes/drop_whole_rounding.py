"""Integer networks spelled in real numbers round what is whole already."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

import numpy as np

from onnx2snn.analysis.whole import ROUNDING, whole_values
from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Affine, Clip, Conv, Dense, Input, Quantise, Relu, Staircase, Unary
from onnx2snn.passes.base import Pass

WIDEST = 1 << 15  #: counts of an input that is read as whole numbers lie from -2^15 to 2^15 - 1
ELEMENTWISE: tuple[type[Op], ...] = (Affine, Clip, Relu)
FINEST = 1 << 28  #: largest divisor whose half units float64 keeps beside counts of 16 bits


@final
@dataclass(frozen=True)
class DropWholeRounding(Pass):
    """Removes rounding of values that are whole for certain, as NEMO and DORY spell integer networks.

    given:   Unary truncate, floor, round or ceil of a value that whole weights, shifts and factors make of whole ones,
             or that comes back to whole numbers, as (32 a + 32 b) / 32 does
    result:  the same without it; the only rounding beside a Clip stays, as one to the nearest. What a division of whole
             numbers by d rounds lies at least 1 / d apart: half of that is added before floor (and before truncate
             where what is below zero is cut off), subtracted before ceil, so that no exact quotient is lost to float64.
    Where wholeness hangs on the network's input alone, and a cast to integers of a weighted layer's result is followed
    by another rounding, so that it has no meaning but for whole inputs, a quantiser of step 1 behind the input says
    that they are.
    """

    name: ClassVar[str] = "drop-whole-rounding"

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        known = whole_values(graph)
        hanging = [node for node in graph.of(Unary) if known[node.inputs[0]].whole and known[node.inputs[0]].if_input]
        if any(_casts(graph, node) for node in hanging):
            notes += [_read_whole(graph, node) for node in graph.of(Input)]
            known = whole_values(graph)
        certain = [node for node in graph.of(Unary) if _rounds(node.op) and not known[node.inputs[0]].if_input]
        for node in certain:
            if known[node.inputs[0]].whole:
                _drop(graph, graph[node.name])
        for node in [node for node in certain if node.name in graph]:
            _keep_clear(graph, graph[node.name], known[node.inputs[0]].step)
        return graph


def _drop(graph: Graph, node: Node) -> None:
    if _rounds_before(graph, node) or not (_clips_before(graph, node) or _clips_unrounded(graph, node)):
        graph.remove(node.name, use=node.inputs[0])
    else:  # all that makes steps of a Clip; to the nearest, which no error of float64 moves
        graph.replace(node.name, Unary(function="round"))


def _rounds_before(graph: Graph, node: Node) -> bool:
    """Whether a value has been rounded since the last op that is not elementwise."""
    source = graph[node.inputs[0]]
    if isinstance(source.op, (Quantise, Staircase)) or _rounds(source.op):
        return True
    return isinstance(source.op, ELEMENTWISE) and _rounds_before(graph, source)


def _clips_before(graph: Graph, node: Node) -> bool:
    """Whether a value has been clipped since the last op that is not elementwise."""
    source = graph[node.inputs[0]]
    return isinstance(source.op, Clip) or (isinstance(source.op, ELEMENTWISE) and _clips_before(graph, source))


def _clips_unrounded(graph: Graph, node: Node) -> bool:
    """Whether a value is clipped, and no rounding follows, before the next op that is not elementwise."""
    for reader in graph.consumers(node.name):
        if isinstance(reader.op, Clip) and not _rounds_behind(graph, reader, ELEMENTWISE):
            return True
        if isinstance(reader.op, ELEMENTWISE) and _clips_unrounded(graph, reader):
            return True
    return False


def _rounds(op: Op) -> bool:
    return isinstance(op, Unary) and op.function in ROUNDING


def _keep_clear(graph: Graph, node: Node, step: Fraction | None) -> None:
    """Moves the rounding of multiples of `step` clear of its ties."""
    if step is None or step.denominator > FINEST:
        return
    source = graph[node.inputs[0]].op
    done = isinstance(source, Affine) and source.scale is None
    half = _direction(graph, node) / (2 * step.denominator)
    if half and not done:
        graph.insert_before(node.name, Affine(shift=np.asarray(half)), f"{node.name}.half")


def _direction(graph: Graph, node: Node) -> int:
    """Where a rounding of the multiples of 1 / d may move by 1 / 2d: 1 for down, -1 for up, 0 for neither."""
    op = node.op
    assert isinstance(op, Unary)
    if op.function == "truncate":
        readers = [reader.op for reader in graph.consumers(node.name)]
        above = [isinstance(reader, Relu) or (isinstance(reader, Clip) and reader.low >= 0) for reader in readers]
        return int(bool(above) and all(above) and node.name not in graph.outputs)
    return {"floor": 1, "ceil": -1, "round": 0}[op.function]


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


def _rounds_behind(graph: Graph, node: Node, past: tuple[type[Op], ...] = ()) -> bool:
    """Whether a rounding follows without another reader: past `past`, or by default past all but weights."""
    readers = graph.consumers(node.name)
    if len(readers) != 1:
        return False
    op = readers[0].op
    goes_on = isinstance(op, past) if past else not isinstance(op, (Conv, Dense))
    return _rounds(op) or (goes_on and _rounds_behind(graph, readers[0], past))


def _read_whole(graph: Graph, node: Node) -> str:
    unit = Quantise(scale=np.ones(()), zero_point=0, qmin=-WIDEST, qmax=WIDEST - 1)
    reader = graph.add(graph.fresh(f"{node.name}.whole"), unit, [node.name])
    for consumer in {found.name for found in graph.consumers(node.name)} - {reader}:
        found = graph[consumer]
        graph.replace(consumer, found.op, [reader if source == node.name else source for source in found.inputs])
    return f"{node}: input read as whole numbers"
