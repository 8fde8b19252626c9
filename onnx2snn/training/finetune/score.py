"""How far a spiking network is from its teacher, on samples that nothing is learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from onnx2snn.backends.torch.lower import leading
from onnx2snn.backends.torch.module import build
from onnx2snn.backends.torch.runtime import Neuron as NeuronLayer
from onnx2snn.flow.batches import batches
from onnx2snn.flow.data import Samples
from onnx2snn.flow.evaluation.simulate import accuracy_of
from onnx2snn.ir import Array, Graph
from onnx2snn.training.finetune.names import tensors
from onnx2snn.training.finetune.teacher import Teacher


@dataclass(frozen=True)
class Score:
    """What a network gives on validation samples, against its teacher.

    layer: mean squared difference of the counts of one population, or of the values of a readout.
    output: mean squared difference of the outputs, over the variance of the teacher's.
    agreement: share of samples with the teacher's answer; accuracy: with the label's; None where there are none.
    """

    layer: float
    output: float
    agreement: float | None
    accuracy: float | None

    @property
    def right(self) -> float:
        """Share of right answers: the label's, else the teacher's; 0 where there are no classes."""
        return (self.agreement if self.accuracy is None else self.accuracy) or 0.0


class Validation:
    """Samples that decide which changes stay, and what the teacher makes of them."""

    def __init__(self, teacher: Teacher, graph: Graph, samples: Samples, batch: int, device: torch.device) -> None:
        self.teacher, self.graph, self.samples = teacher, graph, samples
        self.batch, self.device = batch, device
        made = [teacher.values(teacher.module.plan, inputs) for inputs in self._inputs()]
        self.outputs = [np.concatenate([y.cpu().numpy() for y in one]) for one in zip(*made, strict=True)]
        self.classes = next((i for i, y in enumerate(self.outputs) if y.ndim == 2 and y.shape[1] > 1), None)
        labels = samples.y is not None and self.classes is not None
        self.teacher_accuracy = self._accuracy(self.outputs) if labels else None

    def score(self, graph: Graph, steps: int, settle: int | None, target: str = "") -> Score:
        """Runs a network on all samples; `target` is the population or readout to compare."""
        module = build(graph, steps, settle).requires_grad_(False).to(self.device)
        watched = [self.teacher.names[target]] if target else []
        plan = leading(module.plan, [*module.plan.outputs, *watched])
        wanted = self.teacher.part([target] if target else [])
        squares, count = 0.0, 0
        outputs: list[list[Array]] = []
        for inputs in self._inputs():
            with torch.inference_mode():
                signals = module.run(plan, inputs)
            outputs.append([signal.values.cpu().numpy() for signal in signals[: len(module.plan.outputs)]])
            for name, truth in zip(watched, self.teacher.values(wanted, inputs), strict=True):
                layer = module.get_submodule(name)
                found = layer.counts if isinstance(layer, NeuronLayer) else signals[-1].values
                apart = found.to(torch.float64) - truth
                squares, count = squares + float(apart.square().sum()), count + apart.numel()
        return self._judged([np.concatenate(one) for one in zip(*outputs, strict=True)], squares / max(count, 1))

    def _judged(self, outputs: list[Array], layer: float) -> Score:
        apart = [np.square(found - wanted).mean() for found, wanted in zip(outputs, self.outputs, strict=True)]
        spread = [float(wanted.var()) or 1.0 for wanted in self.outputs]
        error = float(np.mean([a / s for a, s in zip(apart, spread, strict=True)]))
        if self.classes is None:
            return Score(layer, error, None, None)
        answers = outputs[self.classes].argmax(axis=1)
        agreement = float((answers == self.outputs[self.classes].argmax(axis=1)).mean())
        return Score(layer, error, agreement, self._accuracy(outputs) if self.samples.y is not None else None)

    def _accuracy(self, outputs: list[Array]) -> float:
        assert self.classes is not None
        assert self.samples.y is not None
        return accuracy_of(outputs[self.classes], self.samples.y)

    def _inputs(self) -> Iterator[list[Tensor]]:
        return (tensors(self.graph, x, self.device) for x in batches(self.samples.x, self.batch))
