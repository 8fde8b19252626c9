"""Corrections of calibrated activations: a constant in front of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, final

import numpy as np

from onnx2snn.errors import located
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Affine
from onnx2snn.passes.base import Pass
from onnx2snn.passes.quantise_activations import Side, along_channels


@final
@dataclass(frozen=True)
class ShiftActivations(Pass):
    """Adds a constant to what an activation reads: bias and initial-membrane correction alike.

    given:   an activation and what to add to its input, in the units of the model
    result:  Affine(shift) in front of it, which merges into the bias before it. The corrected staircase is the
             reference of the certificate.
    shifts:  the facts, by node name: a number or a list with one a channel (see `onnx2snn.flow.conversion.tuner`)
    """

    name: ClassVar[str] = "shift-activations"
    shifts: Mapping[str, Side] = field(default_factory=dict[str, Sequence[float]])

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        for name, values in self.shifts.items():
            with located(graph[name]):
                shift = along_channels(np.asarray(values, np.float64), graph, name)
                graph.insert_before(name, Affine(shift=shift), f"{name}.shift")
        return graph
