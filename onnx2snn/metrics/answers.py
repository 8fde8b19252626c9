"""Answers of a classifier at every tick of one run, and where it could have stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Readout, Softmax
from onnx2snn.metrics.counters import Counters, add
from onnx2snn.reference import Run, apply, constant_nodes, tail_nodes

Rule = Literal["margin", "confidence"]
RULES: tuple[Rule, ...] = ("margin", "confidence")
THRESHOLDS: dict[Rule, tuple[float, ...]] = {
    "margin": tuple(2.0 ** (k / 2) for k in range(-12, 17)),
    "confidence": (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999),
}


@dataclass(frozen=True)
class Exits:
    """When samples leave early: at the first tick at which the score of the output reaches a threshold.

    margin: the largest output less the second largest, in the output's units (top-k gap: Wu, Jin, Yu, Yi, Huang,
    "Optimizing event-driven spiking neural network with regularization and cutoff", Frontiers in Neuroscience 2025).
    confidence: the largest softmax probability of the output (SEENN-I: Li, Geller, Kim, Panda, NeurIPS 2023).
    """

    rule: Rule = "margin"
    thresholds: tuple[float, ...] = THRESHOLDS["margin"]


MARGIN = Exits()


def parse_exits(rule: str, thresholds: str | None = None) -> Exits:
    """The rule of that name with thresholds like `0.5,1,2`; raises `UnknownNameError` or `UsageError`."""
    known: Rule | None = next((name for name in RULES if name == rule), None)
    if known is None:
        raise UnknownNameError(f"no exit rule {rule!r}; known: {', '.join(RULES)}")
    if thresholds is None:
        return Exits(known, THRESHOLDS[known])
    try:
        values = tuple(float(text) for text in thresholds.split(","))
    except ValueError:
        raise UsageError(f"exit thresholds: numbers like 0.5,1,2 expected, found {thresholds!r}") from None
    if not all(0 <= value < float("inf") for value in values):
        raise UsageError(f"exit thresholds: finite numbers of at least 0 expected, found {thresholds!r}")
    return Exits(known, values)


class Answers:
    r"""Compares the answer after each tick with labels and with the answer after the last one (a `Watch`).

    The output after tick t of T inject steps is what has arrived by then:
    y_t = scale sum_{u <= t} x_u + bias min(t, T) / T, and the tail of that. The bias is constant charge and comes in
    equal parts, as all of it does; from tick T on y_t is the readout itself. The answer is the argmax.

    counters: correct and agreeing hold, for each tick, by how much they are more than at the tick before (so that runs
    of unequal length add up). exit-*: by threshold, over samples that left early; never: how many did not.
    """

    def __init__(self, graph: Graph, steps: int, labels: Array | None = None, exits: Exits = MARGIN) -> None:
        self.graph, self.steps, self.labels, self.exits = graph, steps, labels, exits
        self.thresholds = np.asarray(exits.thresholds)[:, None]
        self.tail = [node for node in graph if node.name in tail_nodes(graph)]
        self.counters: Counters = {}
        self.sample, self.batch = 0, 0
        self.last: dict[str, Array] = {}
        self.block: dict[str, Array] = {}
        self.answers: list[Array] = []
        self.left = np.zeros((0, 0), np.int64)
        self.given = np.zeros((0, 0), np.int64)

    @staticmethod
    def fit(graph: Graph) -> bool:
        """Whether the first output is one of several classes, and spikes reach all readouts."""
        shape, constant = graph.shape(graph.outputs[0]), constant_nodes(graph)
        reached = all(node.name not in constant for node in graph.of(Readout))
        return len(shape) == 1 and shape[0] > 1 and reached

    def begin(self, sample: int, x: Array) -> None:
        self.sample, self.batch = sample, len(x)
        self.last, self.block, self.answers = {}, {}, []
        self.left = np.zeros((len(self.thresholds), len(x)), np.int64)
        self.given = np.zeros_like(self.left)

    def spikes(self, name: str, tick: int, train: Array) -> None:
        """Nothing: answers come from readouts."""

    def readout(self, name: str, tick: int, sums: Array) -> None:
        self.block[name] = sums

    def advanced(self, tick: int, stop: int) -> None:
        outputs = self._outputs(tick, stop)
        answers = outputs.argmax(axis=-1)
        self.answers.append(answers.astype(np.int32))
        for t, score in enumerate(self._scores(outputs)):
            leaving = (self.left == 0) & (score >= self.thresholds)
            self.left[leaving] = tick + t + 1
            self.given = np.where(leaving, answers[t], self.given)

    def end(self, run: Run) -> None:
        answers = np.concatenate(self.answers) if self.answers else np.zeros((1, self.batch), np.int32)
        final = run.output.argmax(axis=-1)
        given = np.where(self.left > 0, self.given, final)
        self._compare("agreeing", answers, given, final)
        if self.labels is not None:
            self._compare("correct", answers, given, self.labels[self.sample : self.sample + self.batch])
        add(self.counters, "exit-steps", self.left.sum(axis=1))
        add(self.counters, "exit-never", (self.left == 0).sum(axis=1))

    def _compare(self, name: str, answers: Array, given: Array, truth: Array) -> None:
        add(self.counters, name, np.diff((answers == truth).sum(axis=1), prepend=0))
        add(self.counters, f"exit-{name}", (given == truth).sum(axis=1))

    def _outputs(self, tick: int, stop: int) -> Array:
        """The first output after each tick, (ticks, batch, classes)."""
        ticks = stop - tick
        passed = np.minimum(np.arange(tick + 1, stop + 1), self.steps)
        values: dict[str, Array] = {}
        for node in self.graph.of(Readout):
            assert isinstance(node.op, Readout)
            sums = self._sums(node.name, ticks)
            missing = (1 - passed / self.steps).reshape(-1, *(1,) * (sums.ndim - 1))
            values[node.name] = (apply(node.op, sums) - missing * node.op.bias).reshape(-1, *sums.shape[2:])
        for node in self.tail:
            values[node.name] = apply(node.op, *(values[source] for source in node.inputs))
        return values[self.graph.outputs[0]].reshape(ticks, self.batch, -1)

    def _sums(self, name: str, ticks: int) -> Array:
        """What has arrived at a readout after each tick of the block; what did not come leaves it as it was."""
        shape = (self.batch, *self.graph.shape(name))
        found = self.block.pop(name, None)
        last = self.last.get(name, np.zeros(shape))
        filled = np.zeros((0, *shape)) if found is None else found
        last = filled[-1] if len(filled) else last
        self.last[name] = last
        return np.concatenate([filled, np.broadcast_to(last, (ticks - len(filled), *shape))])

    def _scores(self, outputs: Array) -> Array:
        if self.exits.rule == "margin":
            top = np.partition(outputs, -2, axis=-1)
            return top[..., -1] - top[..., -2]
        end = self.graph[self.graph.outputs[0]].op
        if isinstance(end, Softmax):
            return np.exp(outputs.max(axis=-1)) if end.log else outputs.max(axis=-1)
        return 1 / np.exp(outputs - outputs.max(axis=-1, keepdims=True)).sum(axis=-1)
