"""Inputs that a network reads as whole numbers although its model does not round them (pass `drop-whole-rounding`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from onnx2snn.flow.saturation import path_to
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import MOVES, Encoder, Input
from onnx2snn.passes.drop_whole_rounding import WIDEST
from onnx2snn.reference import feed
from onnx2snn.words import amount

ROUNDED = "they are rounded to the nearest, which the model does not do"  #: how every note ends


def as_read(graph: Graph, x: Array) -> Array:
    """Samples (see `reference.feeding`) as the network reads them: the nearest whole numbers that it can take."""
    names = {node.name for node in _whole_inputs(graph)}
    if not names:
        return x
    given = feed(graph, x)
    read = [_nearest(values) if name in names else values for name, values in given.items()]
    return read[0] if len(read) == 1 else np.concatenate([part.reshape(len(x), -1) for part in read], axis=1)


def unwhole(graph: Graph, batches: Iterable[Array]) -> tuple[str, ...]:
    """A note for each such input of which some values are no whole numbers; reads no batch where there is none."""
    tallies = [_Tally(node) for node in _whole_inputs(graph)]
    for x in batches if tallies else ():
        given = feed(graph, x)
        for tally in tallies:
            tally.add(given[tally.node.name])
    return tuple(str(tally) for tally in tallies if tally.others)


@dataclass
class _Tally:
    """How many of the values of an input are no whole numbers, and the first of them."""

    node: Node
    samples: int = 0
    values: int = 0
    others: int = 0
    example: float = 0.0

    def add(self, values: Array) -> None:
        wrong = values[values != _nearest(values)]
        if wrong.size and not self.others:
            self.example = float(wrong[0])
        self.samples += len(values)
        self.values += values.size
        self.others += wrong.size

    def __str__(self) -> str:
        name, share = self.node.origin.tensor or self.node.name, 100 * self.others / self.values
        return (
            f"input {name!r}: the network reads whole numbers from {-WIDEST} to {WIDEST - 1}; {share:.3g} % of the "
            f"values of {amount(self.samples, 'sample')} are none ({self.example:.6g} found): {ROUNDED}"
        )


def _nearest(values: Array) -> Array:
    return np.clip(np.rint(values), -WIDEST, WIDEST - 1)


def _whole_inputs(graph: Graph) -> list[Node]:
    """The inputs behind which a pass put an encoder of step 1 that stands for no op of the model."""
    found: list[Node] = []
    for node in graph.of(Encoder):
        source, *path = path_to(graph, node)
        unit = isinstance(node.op, Encoder) and bool((node.op.scale == 1).all())
        if unit and not node.origin.op and isinstance(source.op, Input) and all(isinstance(s.op, MOVES) for s in path):
            found.append(source)
    return found
