"""A spiking network run step by step, the whole network at every tick: slow, clear, exact in integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from onnx2snn.errors import GraphError, located
from onnx2snn.ir import Graph, Node
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Add, Concat, Input, Ladder, MaxPool, Neuron, Readout, StoreAndForward
from onnx2snn.reference import neurons
from onnx2snn.reference.drive import carries_constant, constant_nodes, part
from onnx2snn.reference.feeding import feed
from onnx2snn.reference.functions import apply, exact
from onnx2snn.reference.tail import tail_nodes

AfterTick = Callable[[Mapping[str, neurons.State]], None]  #: told after each tick what state every population is in


@dataclass(frozen=True)
class Run:
    """What a simulation returns.

    outputs: (batch, *features) each, the readouts after the last step, or what stands behind them.
    steps: ticks until the last spike, at least the inject steps.
    counts: net spikes of every neuron population by node name, (batch, *features) int64.
    spikes: number of spikes of either sign by node name, over the batch.
    """

    outputs: tuple[Array, ...]
    steps: int
    counts: dict[str, Array]
    spikes: dict[str, int]

    @property
    def output(self) -> Array:
        """The first output, which most networks have alone."""
        return self.outputs[0]


def joined(runs: list[Run]) -> Run:
    """Runs of consecutive samples as one."""
    if not runs:
        raise GraphError("one sample or more expected, found none")
    return Run(
        outputs=tuple(np.concatenate(parts) for parts in zip(*(run.outputs for run in runs), strict=True)),
        steps=max(run.steps for run in runs),
        counts={name: np.concatenate([run.counts[name] for run in runs]) for name in runs[0].counts},
        spikes={name: sum(run.spikes[name] for run in runs) for name in runs[0].spikes},
    )


def in_chunks(x: Array, size: int, run: Callable[[Array], Run], progress: Callable[[int], None] | None) -> Run:
    """Runs samples (batch, ...), at most `size` at a time; `progress` is called with how many are done so far."""
    runs: list[Run] = []
    for start in range(0, len(x), size):
        part = x[start : start + size]
        runs.append(run(part))
        if progress is not None:
            progress(start + len(part))
    return joined(runs)


def settle_bound(graph: Graph, steps: int) -> int:
    """Settle steps after which every bounded neuron is silent for certain: the last tick of any, less `steps`."""
    return max(0, *(end - steps for end in ends(graph, steps).values()))


def ends(graph: Graph, steps: int) -> dict[str, int]:
    """The ticks after which each node is still for certain, constant charge taking `steps` of them.

    Populations come to rest one after the other. Once its input is still, a neuron with counts in [lo, hi] needs at
    most hi - lo more ticks (`steps` where it has no upper bound). One that only opens then needs its window, and one
    whose units stand side by side none.
    """
    found: dict[str, int] = {}
    for node in graph:
        fed = max((found[source] for source in node.inputs), default=steps)
        found[node.name] = _end(node.op, fed, steps) if isinstance(node.op, Neuron) else fed
    return found


def _end(op: Neuron, fed: int, steps: int) -> int:
    if isinstance(op, Ladder):
        return fed
    if isinstance(op, StoreAndForward) and op.opens >= fed:
        return op.opens + op.window
    low, high = op.range
    return max(fed, op.silent_until) + (steps if high is None else high) - low


def awake(graph: Graph, steps: int) -> int:
    """The first tick in which silence of all neurons means silence for good: no charge to come, no neuron to open.

    Where synaptic currents go on bringing charge there is none before the end of the run.
    """
    ops = [node.op for node in graph.of(Neuron) if isinstance(node.op, Neuron)]
    if any(op.lingers for op in ops):
        return steps + settle_bound(graph, steps)
    return max(steps, *(op.silent_until for op in ops), 0)


def run(graph: Graph, x: Array, steps: int, settle: int | None = None, after_tick: AfterTick | None = None) -> Run:
    """Runs `x` (see `feeding`) for `steps` inject steps and `settle` more; None: until the network is silent."""
    network = _Network(graph, x, steps)
    last, silent_from = steps, awake(graph, steps)
    limit = steps + (settle_bound(graph, steps) if settle is None else settle)
    for tick in range(limit):
        fired = network.tick(tick)
        if after_tick is not None:
            after_tick(network.states)
        if fired:
            last = max(last, tick + 1)
        elif settle is None and tick >= silent_from:
            break
    states = network.states
    return Run(
        outputs=network.outputs(),
        steps=last if settle is None else limit,
        counts={name: state.n for name, state in states.items()},
        spikes={name: int(state.spikes.sum()) for name, state in states.items()},
    )


class _Network:
    def __init__(self, graph: Graph, x: Array, steps: int) -> None:
        self.graph, self.steps = graph, steps
        self.constant = constant_nodes(graph)
        self.tail = tail_nodes(graph)
        self.now: dict[str, Array] = {}  # constant nodes: their total; others: their value at this tick
        self.sums: dict[str, Array] = {}  # running sums: readouts and max pools
        self.states: dict[str, neurons.State] = {}
        given = feed(graph, x)
        for node in graph:
            with located(node):
                self._prepare(node, given.get(node.name, x))

    def _prepare(self, node: Node, x: Array) -> None:
        op = node.op
        shape = (len(x), *self.graph.shape(node.name))
        if node.name in self.tail:
            return
        if isinstance(op, Input):
            self.now[node.name] = x.astype(np.float64)
        elif node.name in self.constant and not isinstance(op, Readout):
            self.now[node.name] = apply(op, *(self.now[source] for source in node.inputs))
        elif isinstance(op, Neuron):
            self.states[node.name] = neurons.start(op, shape)
        elif carries_constant(op):
            raise GraphError("a linear op between neurons carries a constant; pass collect-bias moves it")

    def tick(self, tick: int) -> bool:
        """Runs one tick; says whether any neuron fired."""
        fired = False
        for node in self.graph:
            if node.name in self.tail:
                continue
            with located(node):
                if isinstance(node.op, Neuron):
                    spikes = self._neuron(node, node.op, tick)
                    self.now[node.name] = spikes
                    fired |= bool(spikes.any())
                elif isinstance(node.op, Readout) or node.name not in self.constant:
                    self.now[node.name] = self._linear(node, tick)
        return fired

    def _arriving(self, name: str, tick: int) -> Array:
        value = self.now[name]
        return part(value, tick, self.steps) if name in self.constant else value

    def _neuron(self, node: Node, op: Neuron, tick: int) -> Array:
        (source,) = node.inputs
        current, constant = self.now[source] * (1 << op.shift), exact(op.bias)
        if source in self.constant:
            current = constant = part(current + constant, tick, self.steps)
        else:
            constant = part(constant, tick, self.steps)
            current = current + constant
        return neurons.step(op, self.states[node.name], current, constant)

    def _linear(self, node: Node, tick: int) -> Array:
        inputs = [self._arriving(source, tick) for source in node.inputs]
        if isinstance(node.op, (Add, Concat)):
            return apply(node.op, *inputs)
        if isinstance(node.op, (MaxPool, Readout)):
            return self._accumulate(node, inputs[0])
        return apply(node.op, *inputs)

    def _accumulate(self, node: Node, current: Array) -> Array:
        before = self.sums.get(node.name)
        after = current if before is None else before + current
        self.sums[node.name] = after
        if isinstance(node.op, Readout):
            return after
        return apply(node.op, after) - (0 if before is None else apply(node.op, before))

    def outputs(self) -> tuple[Array, ...]:
        """The readouts, and what the tail makes of them."""
        values: dict[str, Array] = {}
        for node in self.graph:
            if isinstance(node.op, Readout):
                values[node.name] = apply(node.op, self.sums[node.name])
            elif node.name in self.tail:
                values[node.name] = apply(node.op, *(values[source] for source in node.inputs))
        missing = [self.graph[name] for name in self.graph.outputs if name not in values]
        if missing:
            raise GraphError(f"a readout expected as output, found {missing[0]}; pass add-readouts makes one")
        return tuple(values[name] for name in self.graph.outputs)
