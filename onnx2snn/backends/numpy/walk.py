"""A chunk of samples on its way through the graph, layer by layer within a block of ticks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import final

import numpy as np

from onnx2snn.backends.numpy.drive import Drive
from onnx2snn.backends.numpy.fused import Loop
from onnx2snn.backends.numpy.kernels import linear
from onnx2snn.backends.numpy.offset_spikes import calibrated
from onnx2snn.backends.numpy.plan import FLOAT64, INT64, Block, Plan
from onnx2snn.backends.numpy.populations import Population, train_kind
from onnx2snn.errors import located
from onnx2snn.ir import Array, Node
from onnx2snn.ir.ops import Add, Concat, Encoder, Input, MaxPool, Neuron, Readout
from onnx2snn.reference import Channel, Watch, apply, feed, part


class Walk(ABC):
    """What a chunk of samples carries from one block of ticks to the next.

    still: constant charge (batch, *features) by node.  sums: what has arrived at readouts and max pools so far.
    sent: what max pools have sent.  ends: tick at which constant charge ends, whose parts are those of `plan.steps`.
    A signal is one value a tick (ticks, batch, *features): the ticks of a block or fewer, then nothing, or not there.
    watch: who is told of signals.
    """

    def __init__(self, plan: Plan, x: Array, ends: int, watch: Watch | None = None) -> None:
        self.plan, self.batch, self.ends, self.watch = plan, len(x), ends, watch
        self.inputs = feed(plan.graph, x)
        self.still: dict[str, Array] = {}
        self.sums: dict[str, Array] = {}
        self.sent: dict[str, Array] = {}
        for node in plan.still:
            with located(node):
                self.still[node.name] = self._still(node)
        self.charges = {node.name: self._charge(node, node.op) for node in plan.moving if isinstance(node.op, Neuron)}

    def advance(self, block: Block) -> None:
        """Runs a block of ticks, which follows the one before."""
        signals: dict[str, Array] = {}
        for node in self.plan.moving:
            with located(node):
                signal = self._moving(node, signals, block)
            if signal is not None:
                signals[node.name] = signal
            for source in self.plan.spent[node.name]:
                signals.pop(source, None)

    def outputs(self) -> tuple[Array, ...]:
        """The readouts, and what the tail makes of them."""
        values = dict(self.still)
        for node in self.plan.graph:
            with located(node):
                if isinstance(node.op, Readout):
                    (source,) = node.inputs
                    total = values[source] if source in values else self.sums[node.name]
                    values[node.name] = apply(node.op, total.astype(FLOAT64))
                elif node.name in self.plan.tail:
                    values[node.name] = apply(node.op, *(values[source] for source in node.inputs))
        return tuple(values[output] for output in self.plan.graph.outputs)

    @abstractmethod
    def _fire(self, node: Node, op: Neuron, drive: Drive, block: Block) -> Array | None:
        """The spikes of a population, whole (ticks, batch, *features)."""

    def _still(self, node: Node) -> Array:
        arriving = [self.still[source] for source in node.inputs]
        if isinstance(node.op, Input):
            return self.inputs[node.name].astype(FLOAT64)
        if isinstance(node.op, Encoder):
            return apply(node.op, *arriving)
        return linear(node.op, self.plan.kinds[node.name], *arriving)

    def _charge(self, node: Node, op: Neuron) -> tuple[Array, ...]:
        """The parts of the constant charge of a population: at the first tick, and at the others."""
        (source,) = node.inputs
        total = self._whole(self.still[source]) * (1 << op.shift) + op.bias if source in self.still else op.bias
        steps = self.plan.steps
        return tuple(part(total, tick, steps).astype(self.plan.kinds[node.name]) for tick in range(min(2, steps)))

    def _whole(self, values: Array) -> Array:
        """Charge of an integer network as int64, of a real one as it is."""
        return values.astype(INT64) if self.plan.integer else values

    def _moving(self, node: Node, signals: Mapping[str, Array], block: Block) -> Array | None:
        op, kind = node.op, self.plan.kinds[node.name]
        arriving = [signals[source] for source in node.inputs if source in signals]
        if isinstance(op, Neuron):
            values = arriving[0] if arriving else None
            drive = Drive(kind, block.first, values, 1 << op.shift, self.charges[node.name], self.ends)
            train = self._fire(node, op, drive, block)
            return train if train is None or op.integer else train * op.value.astype(kind)
        if isinstance(op, Readout):
            self._add_up(node, arriving, block.first)
            return None
        if isinstance(op, (Add, Concat)):
            charged = self.ends - block.first if any(source in self.still for source in node.inputs) else 0
            ticks = max(min(charged, block.ticks), 0, *(len(values) for values in arriving))
            if ticks:
                arriving = [self._filled(source, signals.get(source), block.first, ticks) for source in node.inputs]
        if not arriving:
            return None
        if isinstance(op, MaxPool):
            change = self._max_pool(node, op, kind, arriving[0])
            if self.watch is not None:
                self.watch.spikes(node.name, block.first, change)
            return change
        return _folded(lambda *inputs: linear(op, kind, *inputs), *arriving)

    def _filled(self, source: str, values: Array | None, first: int, ticks: int) -> Array:
        """A signal over all of `ticks` ticks: charge in equal parts, a train filled up with silence."""
        if source in self.still:
            total, steps = self._whole(self.still[source]), self.plan.steps
            return np.stack([part(total, tick, steps) for tick in range(first, first + ticks)])
        if values is None:
            return np.zeros((ticks, self.batch, *self.plan.graph.shape(source)), np.int8)
        short = ticks - len(values)
        if not short:
            return values
        return np.concatenate([values, np.zeros((short, *values.shape[1:]), values.dtype)])

    def _add_up(self, node: Node, arriving: list[Array], first: int) -> None:
        """Adds a block to a readout, tick after tick."""
        total = self.sums.setdefault(node.name, np.zeros((self.batch, *self.plan.graph.shape(node.inputs[0]))))
        for values in arriving:
            sums: list[Array] = []
            for value in values:
                total += value
                if self.watch is not None:
                    sums.append(total.copy())
            if self.watch is not None and sums:
                self.watch.readout(node.name, first, np.stack(sums))

    def _max_pool(self, node: Node, op: MaxPool, kind: np.dtype[np.generic], values: Array) -> Array:
        """Pools the running sums and sends the differences."""
        sums = values.astype(kind)
        sums[0] += self.sums.get(node.name, 0)
        sums = np.cumsum(sums, axis=0)
        pooled = _folded(lambda x: linear(op, kind, x), sums)
        sent = self.sent[node.name] if node.name in self.sent else np.zeros_like(pooled[0])
        self.sums[node.name], self.sent[node.name] = sums[-1].copy(), pooled[-1].copy()
        return np.diff(pooled, axis=0, prepend=sent[None])


def _folded(work: Callable[..., Array], *signals: Array) -> Array:
    """Work on batches, with the ticks of the signals folded into the batch."""
    ticks = len(signals[0])
    result = work(*(values.reshape(-1, *values.shape[2:]) for values in signals))
    return result.reshape(ticks, -1, *result.shape[1:])


@final
class Trial(Walk):
    """The run before the run, in one block, that finds initial membranes `starts`; see `offset_spikes`.

    Constant charge goes on for as long as it takes, at the rate of the run.
    """

    def __init__(self, plan: Plan, x: Array) -> None:
        super().__init__(plan, x, plan.calibrate)
        self.starts: dict[str, Array] = {}
        self.spikes: dict[str, int] = {}

    def _fire(self, node: Node, op: Neuron, drive: Drive, block: Block) -> Array:
        shape = (self.batch, *self.plan.graph.shape(node.name))
        start, train = calibrated(op, self.plan.kinds[node.name], drive, shape, block.ticks)
        self.starts[node.name], self.spikes[node.name] = start, int(train.sum())
        return train


@final
class Course(Walk):
    """The run itself.

    given: counts by population that are sent on in place of its own.  starts: initial membranes in place of v0.
    silent: whether all populations had fallen silent for good before the last block ended.
    channel: what carries the spikes of samples from number `sample` on.  loop: the compiled loop of the populations.
    """

    def __init__(
        self,
        plan: Plan,
        x: Array,
        given: Mapping[str, Array],
        starts: Mapping[str, Array],
        watch: Watch | None = None,
        channel: Channel | None = None,
        sample: int = 0,
        loop: Loop | None = None,
    ) -> None:
        super().__init__(plan, x, plan.steps, watch)
        self.given, self.silent = given, False
        self.channel, self.sample = channel, sample
        self.populations = {
            node.name: Population(
                op,
                plan.kinds[node.name],
                (len(x), *plan.graph.shape(node.name)),
                plan.most,
                starts.get(node.name),
                loop,
            )
            for node in plan.moving
            if isinstance(op := node.op, Neuron)
        }

    def advance(self, block: Block) -> None:
        self.silent = True
        super().advance(block)
        if self.watch is not None:
            self.watch.advanced(block.first, block.stop)

    def _fire(self, node: Node, op: Neuron, drive: Drive, block: Block) -> Array | None:
        plan = self.plan
        population = self.populations[node.name]
        train = population.advance(drive, block.first, block.stop, 0 if plan.settle is None else plan.most)
        self.silent &= population.silent
        if self.watch is not None and len(train):
            self.watch.spikes(node.name, block.first, train)
        if node.name in self.given:
            train = spread(self.given[node.name], op, plan.steps, block)
            self.silent &= len(train) < block.ticks
        if not len(train):
            return None
        return train if self.channel is None else self.channel.carry(node.name, self.sample, block.first, train)


def spread(counts: Array, op: Neuron, steps: int, block: Block) -> Array:
    """Counts (batch, *features) as trains of spikes over `steps` ticks, or as many as the largest count takes.

    A tick has as many spikes as `op` can send at once: one, but for a ladder, which sends its count whole.
    The spikes stand where a neuron with v0 = theta / 2 and constant input has them: n_t = floor(n t / T + 1/2). Returns
    those of a block, (ticks, batch, *features) of the neuron's own kind of train.
    """
    sizes, signs = np.abs(counts), np.sign(counts)
    ticks, kind = max(steps, -(-int(sizes.max(initial=0)) // op.most_at_once)), train_kind(op)

    def until(tick: int) -> Array:
        return (2 * sizes * tick + ticks) // (2 * ticks)

    train = [((until(t + 1) - until(t)) * signs).astype(kind) for t in range(block.first, min(block.stop, ticks))]
    return np.stack(train) if train else np.zeros((0, *counts.shape), kind)
