"""One population or readout and the synapses that feed it, as they learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from onnx2snn.backends.torch.lower import Layer, Plan, leading
from onnx2snn.backends.torch.module import SpikingModule
from onnx2snn.backends.torch.runtime import Neuron as NeuronLayer
from onnx2snn.backends.torch.runtime import Signal
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Conv, Dense, Neuron, Readout
from onnx2snn.training.finetune.latent import Latent, of_bias, of_weight, real
from onnx2snn.training.finetune.names import identifiers_of
from onnx2snn.training.finetune.segments import Segment
from onnx2snn.training.finetune.staircase import Counts, ramp, ranges, substitute


class Learner:
    """The weights of a segment and the bias of its target, behind a spiking module that runs with them.

    graph: the network as tuned so far; module: its module, whose arrays of this segment follow the learner's.
    model: the counts of the target's staircase, where they are known.
    """

    def __init__(
        self, graph: Graph, module: SpikingModule, segment: Segment, steps: int, model: Counts | None = None
    ) -> None:
        self.graph, self.module, self.segment = graph, module, segment
        names = identifiers_of(graph)
        self.target = names[segment.target]
        self.sources = [names[name] for name in segment.sources]
        self.plan: Plan = leading(module.plan, [*self.sources, self.target])
        layers = {layer.identifier: layer for layer in module.plan.layers}
        self.layers: list[Layer] = [layers[names[name]] for name in segment.nodes]
        op = graph[segment.target].op
        device = next(iter(module.get_submodule(self.target).buffers())).device
        self.latents: dict[tuple[str, str], Latent] = {}
        for name in segment.weights:
            synapse = graph[name].op
            assert isinstance(synapse, (Conv, Dense))
            self.latents[name, "weight"] = of_weight(synapse.weight, device)
        assert isinstance(op, (Neuron, Readout))
        self.counts = ranges(op, model, steps) if isinstance(op, Neuron) else None
        unit = op.theta if isinstance(op, Neuron) else _worth(op, self.latents)
        self.latents[segment.target, "bias"] = of_bias(op.bias, unit, device)
        self.names = names

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What an optimiser moves."""
        return [latent.free for latent in self.latents.values()]

    @torch.no_grad()
    def load(self) -> None:
        """Gives the spiking module the arrays as they are now."""
        for (name, key), value in self._held().items():
            layer = self.module.get_submodule(self.names[name])
            held = getattr(layer, key)
            if held.shape == value.shape:
                held.copy_(value)
            else:  # one bias for all was there, and is one for each channel now
                setattr(layer, key, value.to(held.dtype))

    @torch.no_grad()
    def observe(self, batches: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Runs the spiking network: the total of each source, and the target's counts, or its value."""
        signals = self.module.run(self.plan, batches)
        totals = [signal.values if signal.still else signal.values.sum(0) for signal in signals[:-1]]
        layer = self.module.get_submodule(self.target)
        found = layer.counts if isinstance(layer, NeuronLayer) else signals[-1].values
        return totals, found.to(torch.float64)

    def answer(self, totals: Sequence[Tensor], found: Tensor) -> Tensor:
        """What the target gave, with the gradient that it has if the totals of its sources are all that matters."""
        held = self._held()
        charge = self._charge(totals, held)
        layer = self.module.get_submodule(self.target)
        bias = held[self.segment.target, "bias"]
        if isinstance(layer, NeuronLayer) and self.counts is not None:
            charge = charge.to(torch.float64) * (1 << layer.shift)
            return substitute(found, ramp(charge, bias + layer.v0, layer.theta, self.counts))
        (signal,) = [functional_call(layer, {"bias": bias}, (Signal(charge, still=True),))]
        return signal.values

    def _charge(self, totals: Sequence[Tensor], held: Mapping[tuple[str, str], Tensor]) -> Tensor:
        signals = {name: Signal(total, still=True) for name, total in zip(self.sources, totals, strict=True)}
        own = {self.names[name]: {key: value} for (name, key), value in held.items() if name in self.segment.weights}
        for layer in self.layers:
            arriving = tuple(signals[source] for source in layer.inputs)
            module = self.module.get_submodule(layer.identifier)
            signals[layer.identifier] = functional_call(module, own.get(layer.identifier, {}), arriving)
        (last,) = next(one for one in self.module.plan.layers if one.identifier == self.target).inputs
        return signals[last].values

    def _held(self) -> dict[tuple[str, str], Tensor]:
        """The arrays as the module has them: a real-valued module multiplies whole weights with their scale."""
        found: dict[tuple[str, str], Tensor] = {}
        for (name, key), latent in self.latents.items():
            op, value = self.graph[name].op, latent.stored()
            if isinstance(op, (Conv, Dense)) and op.scale is not None:
                value = value * real(op.scale, value.device).reshape(-1, *(1,) * (value.dim() - 1))
            found[name, key] = value
        return found

    def arrays(self) -> dict[tuple[str, str], Array]:
        """The arrays by node and field, as the graph has them."""
        return {place: latent.array() for place, latent in self.latents.items()}

    def confine(self) -> None:
        """Keeps what is learned within what can be stored."""
        for latent in self.latents.values():
            latent.confine()


def tuned(graph: Graph, arrays: Mapping[tuple[str, str], Array]) -> Graph:
    """A new graph with these arrays; `graph` stays as it is."""
    made = graph.copy()
    for (name, key), array in arrays.items():
        old = getattr(made[name].op, key)
        if array.shape != old.shape and (array == old).all():
            continue
        made.replace(name, replace(made[name].op, **{key: array}))
    return made


def _worth(op: Readout, latents: Mapping[tuple[str, str], Latent]) -> Array:
    """The change of a readout that one spike over the largest weight makes."""
    most = max((float(latent.span.max()) for latent in latents.values()), default=1.0)
    return abs(op.scale) * most
