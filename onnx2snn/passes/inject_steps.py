"""A network given per step becomes a run of so many steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.errors import UsageError
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Affine, Encoder, Input, Neuron, Readout
from onnx2snn.passes.base import Pass
from onnx2snn.passes.collect_bias import bare, constants_of, drop_empty
from onnx2snn.reference import tail_nodes


@final
@dataclass(frozen=True)
class InjectSteps(Pass):
    """Multiplies what a trained spiking network gets in each step by the number of steps.

    given:   neurons between linear ops with biases; inputs and biases are the current of one step
    result:  linear ops without constants; the bias of each neuron and readout, and an Affine(scale = steps) behind
             each input, hold what a whole run injects, of which a simulator gives an equal part in each step
    """

    name: ClassVar[str] = "inject-steps"
    steps: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"pass inject-steps: steps from 1 on expected, found {self.steps}")

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        tail = tail_nodes(graph)
        nodes = [node for node in graph if node.name not in tail]
        constants = constants_of(graph, nodes)
        for node in nodes:
            graph.replace(node.name, bare(node))
        for node in nodes:
            op = node.op
            if isinstance(op, (Neuron, Readout)):
                scale = op.scale if isinstance(op, Readout) else 1.0
                bias = op.bias + scale * constants[node.inputs[0]] * self.steps
                graph.replace(node.name, replace(op, bias=np.asarray(bias)))
        for node in graph.of(Input):
            self._multiply(graph, node.name)
        drop_empty(graph, tail)
        return graph

    def _multiply(self, graph: Graph, source: str) -> None:
        """Puts the factor behind the input, or behind its encoder where it has one."""
        for reader in graph.consumers(source):
            if isinstance(reader.op, Encoder):
                self._multiply(graph, reader.name)
                continue
            slots = [slot for slot, name in enumerate(reader.inputs) if name == source]
            for slot in slots:
                graph.insert_before(reader.name, Affine(scale=np.asarray(float(self.steps))), f"{source}.run", slot)
