"""The NumPy simulator: layer by layer, time folded into the batch, in chunks that keep memory bounded.

A linear op sees all ticks of a chunk at once; only the elementwise neuron update loops over time. What is constant
over time is computed once. Integer networks run in floating point wherever whole numbers stay exact in it: below
2^24 in float32, below 2^53 in float64, else in int64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from onnx2snn.analysis.widths import is_integer, narrowest, widths
from onnx2snn.backends.numpy.kernels import linear
from onnx2snn.backends.numpy.offset_spikes import calibrated
from onnx2snn.backends.numpy.populations import fire
from onnx2snn.errors import BackendError, located
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import IF, Add, Concat, Encoder, Input, MaxPool, Neuron, Readout
from onnx2snn.reference import Run, apply, constant_nodes, feed, joined, part, settle_bound, tail_nodes

FLOAT64, INT64 = np.dtype(np.float64), np.dtype(np.int64)
CHUNK_BYTES = 96 << 20
Progress = Callable[[int], None]


@dataclass
class Signal:
    """Still: the total charge (batch, *features). Moving: one value a tick (ticks, batch, *features)."""

    values: Array
    still: bool


class NumpySimulator:
    """Runs a spiking graph for `steps` inject steps and `settle` more; None: until every population is silent.

    calibrate: steps of a run before it that finds the initial membranes of each sample (code `if` alone).
    """

    def __init__(
        self,
        graph: Graph,
        steps: int,
        settle: int | None = None,
        calibrate: int = 0,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self.graph, self.steps, self.settle, self.chunk_bytes = graph, steps, settle, chunk_bytes
        self.calibrate = calibrate
        self.most = steps + (settle_bound(graph, steps) if settle is None else settle)
        self.constant = constant_nodes(graph)
        self.integer = is_integer(graph)
        bits = widths(graph, self.most)
        self.kinds = {node.name: _kind(node, bits[node.name]) for node in graph}
        if calibrate:
            self._check_calibration()
        self.tail = tail_nodes(graph)
        self.last_use = {source: node.name for node in graph for source in node.inputs}

    def run(self, x: Array, progress: Progress | None = None, given: Mapping[str, Array] | None = None) -> Run:
        """Simulates `x` (batch, *input shape); `progress` is called with the number of samples done so far.

        given: counts by population; what such a population sends on is these counts, evenly spread over the
        inject steps, so that every layer is tried alone. The counts returned are what it would have sent.
        """
        runs: list[Run] = []
        size = self._chunk()
        for start in range(0, len(x), size):
            forced = {name: counts[start : start + size] for name, counts in (given or {}).items()}
            runs.append(self._run(x[start : start + size], forced))
            if progress is not None:
                progress(min(start + size, len(x)))
        return joined(runs)

    def _chunk(self) -> int:
        largest = max(int(np.prod(self.graph.shape(node.name))) for node in self.graph)
        return max(1, int(self.chunk_bytes // (8 * largest * self.most_likely)))

    @property
    def most_likely(self) -> int:
        """Ticks that a run usually takes: settling ends long before its bound."""
        return self.most if self.settle is not None else min(self.most, self.steps + 8)

    def _check_calibration(self) -> None:
        """Only unsigned neurons have offset spikes to calibrate; membranes that move are kept in int64."""
        others = [node for node in self.graph.of(Neuron) if not isinstance(node.op, IF)]
        if others:
            raise BackendError(
                f"{others[0]}: calibration of initial membranes takes code if, found {others[0].op.name}"
            )
        if self.integer:
            self.kinds |= {node.name: INT64 for node in self.graph.of(Neuron)}

    def _run(self, x: Array, given: Mapping[str, Array]) -> Run:
        trial = _Chunk(self, x, {}, calibrating=self.calibrate)
        if self.calibrate:
            self._walk(trial)
        chunk = _Chunk(self, x, given, starts=trial.starts)
        self._walk(chunk)
        return Run(
            tuple(chunk.signals[output].values for output in self.graph.outputs),
            self.calibrate + (max(chunk.ticks, self.steps) if self.settle is None else self.most),
            chunk.counts,
            {name: spikes + trial.spikes.get(name, 0) for name, spikes in chunk.spikes.items()},
        )

    def _walk(self, chunk: _Chunk) -> None:
        signals = chunk.signals
        for node in self.graph:
            with located(f"{node}"):
                signals[node.name] = chunk.value(node)
            for source in set(node.inputs):
                if self.last_use[source] == node.name and source not in self.graph.outputs:
                    del signals[source]


class _Chunk:
    """One chunk of samples on its way through the graph.

    starts: initial membranes in place of v0.  calibrating: steps of a trial run that finds them; 0: the run itself.
    """

    def __init__(
        self,
        simulator: NumpySimulator,
        x: Array,
        given: Mapping[str, Array],
        starts: Mapping[str, Array] | None = None,
        calibrating: int = 0,
    ) -> None:
        self.simulator, self.x, self.given, self.calibrating = simulator, x, given, calibrating
        self.inputs = feed(simulator.graph, x)
        self.signals: dict[str, Signal] = {}
        self.starts = dict(starts or {})
        self.counts: dict[str, Array] = {}
        self.spikes: dict[str, int] = {}
        self.ticks = 0

    def value(self, node: Node) -> Signal:
        op, kind = node.op, self.simulator.kinds[node.name]
        arriving = [self.signals[source] for source in node.inputs]
        if isinstance(op, Input):
            return Signal(self.inputs[node.name].astype(FLOAT64), still=True)
        if node.name in self.simulator.tail:
            return Signal(apply(op, *(signal.values for signal in arriving)), still=True)
        if isinstance(op, Encoder):
            return Signal(apply(op, arriving[0].values), still=True)
        if isinstance(op, Neuron):
            return self._neuron(node, op, kind, arriving[0])
        if isinstance(op, Readout):
            total = arriving[0].values if arriving[0].still else arriving[0].values.sum(axis=0, dtype=FLOAT64)
            return Signal(apply(op, total.astype(FLOAT64)), still=True)
        if node.name in self.simulator.constant:
            return Signal(linear(op, kind, *(s.values for s in arriving)), still=True)
        if isinstance(op, MaxPool):
            return self._max_pool(op, kind, arriving[0])
        ticks = max(len(s.values) for s in arriving if not s.still)
        if isinstance(op, (Add, Concat)):
            arriving = [self._moving(s, ticks) for s in arriving]
        folded = [s.values.reshape(-1, *s.values.shape[2:]) for s in arriving]
        result = linear(op, kind, *folded)
        return Signal(result.reshape(ticks, -1, *result.shape[1:]), still=False)

    def _whole(self, values: Array) -> Array:
        """Charge of an integer network as int64, of a real one as it is."""
        return values.astype(INT64) if self.simulator.integer else values

    def _moving(self, signal: Signal, ticks: int) -> Signal:
        """The signal over `ticks` ticks: charge in equal parts, trains filled up with silence."""
        if signal.still:
            total = self._whole(signal.values)
            parts = [part(total, tick, self.simulator.steps) for tick in range(ticks)]
            return Signal(np.stack(parts), still=False)
        short = ticks - len(signal.values)
        if not short:
            return signal
        return Signal(
            np.concatenate([signal.values, np.zeros((short, *signal.values.shape[1:]), signal.values.dtype)]),
            still=False,
        )

    def _max_pool(self, op: MaxPool, kind: np.dtype[np.generic], signal: Signal) -> Signal:
        sums = np.cumsum(signal.values, axis=0, dtype=kind)
        pooled = linear(op, kind, sums.reshape(-1, *sums.shape[2:]))
        pooled = pooled.reshape(len(sums), -1, *pooled.shape[1:])
        return Signal(np.diff(pooled, axis=0, prepend=np.zeros_like(pooled[:1])), still=False)

    def _neuron(self, node: Node, op: Neuron, kind: np.dtype[np.generic], signal: Signal) -> Signal:
        shape = (len(self.x), *self.simulator.graph.shape(node.name))
        steps, settle, most = self.simulator.steps, self.simulator.settle, self.simulator.most
        if self.calibrating:
            return self._trial(node, op, kind, shape, signal)
        least = max(steps, 0 if signal.still else len(signal.values)) if settle is None else most
        firing = fire(op, kind, self._drive(op, kind, signal, steps), shape, least, most, self.starts.get(node.name))
        self.counts[node.name], self.spikes[node.name] = firing.counts, firing.spikes
        active = np.flatnonzero(firing.train.any(axis=tuple(range(1, firing.train.ndim))))
        self.ticks = max(self.ticks, int(active[-1]) + 1 if len(active) else 0)
        train = spread(self.given[node.name], steps) if node.name in self.given else firing.train
        return Signal(train if op.integer else train * op.value.astype(kind), still=False)

    def _trial(
        self, node: Node, op: Neuron, kind: np.dtype[np.generic], shape: tuple[int, ...], signal: Signal
    ) -> Signal:
        """A population in the run before the run: input goes on for as long as it takes, at the rate of the run."""
        ticks = self.calibrating
        start, train = calibrated(op, kind, self._drive(op, kind, signal, ticks), shape, ticks)
        self.starts[node.name], self.spikes[node.name] = start, int(train.sum())
        return Signal(train if op.integer else train * op.value.astype(kind), still=False)

    def _drive(
        self, op: Neuron, kind: np.dtype[np.generic], signal: Signal, last: int
    ) -> Callable[[int], Array | None]:
        """What arrives at each tick; what is constant up to tick `last`, in parts as of the inject steps."""
        steps, gain = self.simulator.steps, 1 << op.shift
        if signal.still:
            total = self._whole(signal.values) * gain + op.bias
            parts = [part(total, tick, steps).astype(kind) for tick in range(min(2, steps))]
            return lambda tick: None if tick >= last else parts[min(tick, len(parts) - 1)]
        bias = [part(op.bias, tick, steps).astype(kind) for tick in range(min(2, steps))]
        ticks = len(signal.values)

        def drive(tick: int) -> Array | None:
            current = signal.values[tick].astype(kind) if tick < ticks else None
            if current is not None and gain != 1:
                current *= gain
            if tick >= last:
                return current
            constant = bias[min(tick, len(bias) - 1)]
            return constant if current is None else current + constant

        return drive


def spread(counts: Array, steps: int) -> Array:
    """Counts (batch, *features) as trains of single spikes over `steps` ticks, or as many as the largest count.

    The spikes stand where a neuron with v0 = theta / 2 and constant input has them: n_t = floor(n t / T + 1/2).
    """
    ticks = max(steps, int(np.abs(counts).max(initial=0)))
    sums = np.stack([(2 * np.abs(counts) * (tick + 1) + ticks) // (2 * ticks) for tick in range(ticks)])
    return (np.diff(sums, axis=0, prepend=np.zeros_like(sums[:1])) * np.sign(counts)).astype(np.int8)


def _kind(node: Node, bits: int) -> np.dtype[np.generic]:
    if bits == 0:
        return FLOAT64
    number = narrowest(bits)
    if number is None:
        raise BackendError(f"{node}: whole numbers of {bits} bits do not fit 64; use --float")
    return np.dtype(number)
