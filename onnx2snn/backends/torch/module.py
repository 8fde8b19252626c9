"""A spiking graph as a torch module in memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from onnx2snn.backends.torch import runtime
from onnx2snn.backends.torch.lower import Layer, Plan, lower
from onnx2snn.backends.torch.runtime import Clock, Signal, SpikingNet, still
from onnx2snn.ir import Graph


class SpikingModule(SpikingNet):
    """Runs the layers of a plan one after the other; each signal is let go after its last use."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(Clock(plan.steps, plan.settle, plan.bound))
        self.plan = plan
        for layer in plan.layers:
            if layer.kind != "Input":
                self.add_module(layer.identifier, make(layer, self.clock))
        self.requires_grad_(plan.real)

    def forward(self, *batches: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The output for samples (batch, *input shape), a batch for each input; a tuple where there are several."""
        outputs = [signal.values for signal in self.run(self.plan, batches)]
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def run(self, plan: Plan, batches: Sequence[Tensor]) -> tuple[Signal, ...]:
        """The signals of a plan's outputs: of the module's own plan, or of a part of it (see `leading`)."""
        signals: dict[str, Signal] = {}
        waiting = iter(batches)
        last_use = {source: layer.identifier for layer in plan.layers for source in layer.inputs}
        for layer in plan.layers:
            if layer.kind == "Input":
                signals[layer.identifier] = still(next(waiting))
                continue
            arriving = (signals[source] for source in layer.inputs)
            signals[layer.identifier] = self.get_submodule(layer.identifier)(*arriving)
            for source in set(layer.inputs).difference(plan.outputs):
                if last_use[source] == layer.identifier:
                    del signals[source]
        return tuple(signals[output] for output in plan.outputs)


def make(layer: Layer, clock: Clock) -> nn.Module:
    """The layer of `runtime` that a plan's layer describes."""
    options = dict(layer.options)
    options |= {"number": getattr(torch, layer.number)} if layer.number else {}
    options |= {"clock": clock} if layer.timed else {}
    options |= {} if layer.name is None else {"name": layer.name}
    arrays = {name: torch.from_numpy(array.copy()) for name, array in layer.arrays.items()}
    return getattr(runtime, layer.kind)(**arrays, **options)


def build(graph: Graph, steps: int, settle: int | None = None) -> SpikingModule:
    """The module of a spiking graph for `steps` inject steps and `settle` more; None: until it is silent.

    Raises `BackendError` where the graph holds what a spiking network does not.
    """
    return SpikingModule(lower(graph, steps, settle))
