"""Staircases for real-valued activations, from the maxima seen on data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

import numpy as np

from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Clip, Quantise, Relu, Staircase
from onnx2snn.passes.base import Rewrite


@final
@dataclass(frozen=True)
class CalibrateActivations(Rewrite):
    """Replaces a real-valued Relu, or a Clip from zero, by a staircase of `levels` steps up to its maximum.

    given:   Relu or Clip(0, high) that no quantiser reads, and the maximum of its output on calibration data
    result:  Staircase(scale = maximum / levels, lo = 0, hi = levels)
    maxima:  the facts, by node name (see `onnx2snn.analysis.calibration.maxima`)
    """

    name: ClassVar[str] = "calibrate-activations"
    kinds: ClassVar[tuple[type[Op], ...]] = (Relu, Clip)
    levels: int = 15
    maxima: Mapping[str, float] = field(default_factory=dict[str, float])

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        readers = graph.consumers(node.name)
        if readers and all(isinstance(reader.op, (Quantise, Relu, Clip)) for reader in readers):
            return "quantised already"
        if isinstance(node.op, Clip) and node.op.low != 0:
            return f"a Clip from 0 expected, found one from {node.op.low}"
        if node.name not in self.maxima:
            return "no maximum is known"
        scale = max(self.maxima[node.name], np.finfo(np.float32).tiny) / self.levels
        graph.replace(node.name, Staircase(scale=np.asarray(scale, np.float64), lo=0, hi=self.levels))
        return None
