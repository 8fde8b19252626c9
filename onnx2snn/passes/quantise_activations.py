"""Quantisers behind real-valued activations, from the ranges seen on data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, final

import numpy as np

from onnx2snn.analysis.calibration import ACTIVATIONS, Range, channel_axis, grid
from onnx2snn.errors import PassError, UsageError, located
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import Clip, Quantise, Relu, Steps
from onnx2snn.passes.base import Pass

Side = float | Sequence[float]  #: one number, or one a channel


@final
@dataclass(frozen=True)
class QuantiseActivations(Pass):
    """Puts a quantiser of `levels` steps behind a node, over the range of its output on calibration data.

    given:   Relu, Clip or any other node, and the range [low, high] of its output, low <= 0 < high
    result:  Quantise(scale = high / qmax, zero point 0) behind it, read by all that read it but other quantisers;
             below zero the share of the steps that the range has there. insert-staircases merges Relu and Clip into it
    ranges:  the facts, by node name: [low, high], each a number or a list with one a channel (see
             `onnx2snn.analysis.calibration.ranges`)
    """

    name: ClassVar[str] = "quantise-activations"
    levels: int = 15
    ranges: Mapping[str, Sequence[Side]] = field(default_factory=dict[str, Sequence[Side]])

    def __post_init__(self) -> None:
        for name, sides in self.ranges.items():
            as_range(name, sides)
        if self.levels < 1:
            raise UsageError(f"pass {self.name}: levels: 1 or more expected, found {self.levels}")

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        for name, sides in self.ranges.items():
            node = graph[name]
            with located(node):
                readers = [reader for reader in graph.consumers(name) if not isinstance(reader.op, (Quantise, Steps))]
                if not readers and name not in graph.outputs:
                    notes.append(f"{node}: quantised already")
                else:
                    self._quantise(graph, node, as_range(name, sides))
        notes.extend(f"{node}: no range is known" for node in graph.of(Relu, Clip) if _lacks_one(graph, node))
        return graph

    def _quantise(self, graph: Graph, node: Node, covered: Range) -> None:
        scale, lo, hi = grid(covered, self.levels)
        op = Quantise(scale=along_channels(scale, graph, node.name), zero_point=0, qmin=lo, qmax=hi)
        made = graph.add(graph.fresh(steps_of(node.name)), op, [node.name], node.origin)
        for reader in {r.name for r in graph.consumers(node.name)} - {made}:
            if not isinstance(graph[reader].op, (Quantise, Steps)):
                inputs = [made if source == node.name else source for source in graph[reader].inputs]
                graph.replace(reader, graph[reader].op, inputs)
        graph.outputs = tuple(made if name == node.name else name for name in graph.outputs)


def steps_of(name: str) -> str:
    """Name of the quantiser behind node `name`, and of the staircase and neuron it becomes."""
    return f"{name}.steps"


def as_range(name: str, sides: object) -> Range:
    """The range that two sides of a recipe say; raises `UsageError` where they say none."""
    try:
        low, high = (np.asarray(side, np.float64) for side in sides)  # type: ignore[union-attr]
        low, high = np.broadcast_arrays(low, high)
        good = high.ndim <= 1 and bool(((low <= 0) & (high > 0) & np.isfinite(low) & np.isfinite(high)).all())
    except (TypeError, ValueError):
        good = False
        low = high = np.zeros(())
    if not good:
        raise UsageError(f"pass quantise-activations: {name}: [low, high], low <= 0 < high expected, found {sides}")
    return Range(low, high)


def along_channels(values: Array, graph: Graph, name: str) -> Array:
    """One number, or one a channel of node `name`, in a shape that broadcasts to its features."""
    if values.ndim == 0:
        return values
    shape, axis = graph.shape(name), channel_axis(graph, name)
    if not shape or len(values) != shape[axis]:
        raise PassError(f"one number or {shape[axis] if shape else 1} expected, found {len(values)}")
    return values.reshape([-1 if i == axis else 1 for i in range(len(shape))])


def _lacks_one(graph: Graph, node: Node) -> bool:
    return not any(isinstance(reader.op, (Quantise, Steps, *ACTIVATIONS)) for reader in graph.consumers(node.name))
