"""The teacher: the quantised network, as an artifact's own neurons determine it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from onnx2snn.backends.torch.lower import Plan, leading
from onnx2snn.backends.torch.module import SpikingModule, build
from onnx2snn.backends.torch.runtime import Neuron as NeuronLayer
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Neuron
from onnx2snn.training.finetune.names import identifiers_of
from onnx2snn.training.finetune.staircase import Counts, Stairs


class Teacher:
    """A spiking graph whose neurons climb their staircases at once: the counts that all exact codes come to.

    model: least and greatest count of the staircase that each population stands for, where that is known; else a
    neuron without upper bound counts to as many as there are inject steps.
    """

    def __init__(self, graph: Graph, steps: int, model: Mapping[str, Counts], device: torch.device) -> None:
        self.module: SpikingModule = build(graph, steps, 0).requires_grad_(False).to(device)
        self.names = identifiers_of(graph)
        fractions = False
        for node in graph.of(Neuron):
            layer = self.module.get_submodule(self.names[node.name])
            assert isinstance(node.op, Neuron)
            assert isinstance(layer, NeuronLayer)
            stairs = Stairs(layer, node.op, model.get(node.name), steps)
            fractions |= stairs.levels != steps
            self.module.set_submodule(self.names[node.name], stairs)
        if fractions:
            _widen(self.module)

    def part(self, targets: Sequence[str]) -> Plan:
        """What leads to these nodes."""
        return leading(self.module.plan, [self.names[name] for name in targets])

    @torch.no_grad()
    def values(self, plan: Plan, batches: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """What the network should give at the outputs of `plan`: counts of populations, values of others."""
        signals = self.module.run(plan, batches)
        layers = (self.module.get_submodule(name) for name in plan.outputs)
        return tuple(
            (layer.counts if isinstance(layer, Stairs) else signal.values).to(torch.float64)
            for layer, signal in zip(layers, signals, strict=True)
        )


def _widen(module: nn.Module) -> None:
    """Computes in float64 what would be whole in float32: counts of a coarser network are fractions."""
    for layer in module.modules():
        if getattr(layer, "number", None) == torch.float32:
            layer.number = torch.float64  # type: ignore[assignment]
