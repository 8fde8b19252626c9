"""Tuning one layer: against the teacher's counts, kept where validation says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from onnx2snn.artifact import Schedule
from onnx2snn.backends.torch.module import build
from onnx2snn.errors import BackendError
from onnx2snn.ir import Array, Graph
from onnx2snn.training.finetune.learner import Learner, tuned
from onnx2snn.training.finetune.names import tensors
from onnx2snn.training.finetune.options import LayerReport, Options
from onnx2snn.training.finetune.score import Score, Validation
from onnx2snn.training.finetune.segments import Segment
from onnx2snn.training.finetune.staircase import Counts
from onnx2snn.training.finetune.teacher import Teacher

Check = Callable[[Graph], None]  #: raises `BackendError` for a network that the backend cannot take
Progress = Callable[[int, int], None]  #: batches done of the layer, batches in all


@dataclass(frozen=True)
class Tuner:
    """What all layers share.

    x: the samples to learn from.  model: the counts of the staircases that populations stand for.
    """

    teacher: Teacher
    validation: Validation
    x: Array
    schedule: Schedule
    model: dict[str, Counts]
    options: Options
    check: Check
    device: torch.device

    def layer(self, graph: Graph, segment: Segment, progress: Progress | None = None) -> tuple[Graph, LayerReport]:
        """Tunes one layer of `graph`, all others as they are; returns the network to go on with.

        That is `graph` itself where no epoch is good enough, or the backend cannot take what was learned.
        """
        before = self._score(graph, segment)
        best: tuple[int, Graph, Score] | None = None
        tried: Score | None = None
        reason = "no epoch was better on the validation samples"
        for epoch, arrays in enumerate(self._epochs(graph, segment, progress), start=1):
            candidate = tuned(graph, arrays)
            try:
                self.check(candidate)
            except BackendError as error:
                reason = str(error)
                continue
            after = self._score(candidate, segment)
            if tried is None or self.options.better(after, tried):
                tried = after
            if self._better(after, before if best is None else best[2]):
                best = (epoch, candidate, after)
        report = LayerReport(segment.target, segment.weights, segment.shared, before, tried or before, 0, reason)
        if best is None:
            return graph, report
        return best[1], LayerReport(segment.target, segment.weights, segment.shared, before, best[2], best[0])

    def _better(self, after: Score, before: Score) -> bool:
        return self.options.keep_all or self.options.better(after, before)

    def _score(self, graph: Graph, segment: Segment) -> Score:
        return self.validation.score(graph, self.schedule.steps, self.schedule.settle, segment.target)

    def _epochs(
        self, graph: Graph, segment: Segment, progress: Progress | None
    ) -> Iterator[dict[tuple[str, str], Array]]:
        """The arrays after each epoch."""
        options, schedule = self.options, self.schedule
        module = build(graph, schedule.steps, schedule.settle).requires_grad_(False).to(self.device)
        learner = Learner(graph, module, segment, schedule.steps, self.model.get(segment.target))
        wanted = self.teacher.part([segment.target])
        generator = torch.Generator().manual_seed(options.seed)
        optimiser = torch.optim.Adam(learner.parameters, lr=options.rate)
        per_epoch = math.ceil(len(self.x) / options.batch)
        total = per_epoch * options.epochs
        falling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: (1 + math.cos(math.pi * step / total)) / 2)
        done = 0
        for _ in range(options.epochs):
            order = torch.randperm(len(self.x), generator=generator).numpy()
            for start in range(0, len(order), options.batch):
                inputs = tensors(graph, self.x[order[start : start + options.batch]], self.device)
                (truth,) = self.teacher.values(wanted, inputs)
                learner.load()
                totals, found = learner.observe(inputs)
                loss = functional.mse_loss(learner.answer(totals, found), truth)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                falling.step()
                learner.confine()
                done += 1
                if progress is not None:
                    progress(done, total)
            yield learner.arrays()
