"""Membranes that start higher or lower, with or without a bias that makes up for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.errors import PassError, located
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Neuron
from onnx2snn.passes.base import Pass
from onnx2snn.passes.quantise_activations import Side, along_channels


@final
@dataclass(frozen=True)
class StartMembranes(Pass):
    """Changes initial membranes by fractions of the thresholds.

    given:   neurons, real-valued or whole
    result:  v0 + m and bias - m, m = fraction x theta (rounded in whole numbers): the total charge stays the same, so
             the resting count and the certificate do as well; a code that depends on timing spikes earlier or later.
             Not `balanced`: v0 + m alone, which moves the breakpoints, and the certificate says so.
    fractions: by neuron name, a number or a list with one a channel
    """

    name: ClassVar[str] = "start-membranes"
    fractions: Mapping[str, Side] = field(default_factory=dict[str, Sequence[float]])
    balanced: bool = True  #: the bias makes up for what the membrane gets

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        for name, values in self.fractions.items():
            node = graph[name]
            with located(node):
                if not isinstance(node.op, Neuron):
                    raise PassError(f"a neuron expected, found a {node.op.name}")
                moved = along_channels(np.asarray(values, np.float64), graph, name) * node.op.theta
                if node.op.integer:
                    moved = np.rint(moved).astype(np.int64)
                less = moved if self.balanced else np.zeros_like(moved)
                v0, bias = np.broadcast_arrays(node.op.v0 + moved, node.op.bias - less)
                graph.replace(name, replace(node.op, v0=v0, bias=bias))
        return graph
