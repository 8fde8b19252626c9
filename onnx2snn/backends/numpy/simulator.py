"""The NumPy simulator: layer by layer, time folded into the batch, in chunks of samples and blocks of ticks.

A linear op sees all ticks of a block at once; only the elementwise neuron update loops over time, and neurons carry
their state from block to block. What is constant over time is computed once. Integer networks run in floating point
wherever whole numbers stay exact in it: below 2^24 in float32, below 2^53 in float64, else in int64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onnx2snn.backends.numpy.fused import Loop
from onnx2snn.backends.numpy.fused import loop as fused_loop
from onnx2snn.backends.numpy.plan import Block, Plan
from onnx2snn.backends.numpy.walk import Course, Trial
from onnx2snn.ir import Array, Graph
from onnx2snn.reference import Channel, Run, Watch, joined

CHUNK_BYTES = 64 << 20  #: of signals and of work on them at any one time: see `Plan.tick_bytes`
Progress = Callable[[int], None]


class NumpySimulator:
    """Runs a spiking graph for `steps` inject steps and `settle` more; None: until every population is silent.

    calibrate: steps of a run before it that finds the initial membranes of each sample (code `if` alone); it takes
    memory for all of them. Otherwise memory depends neither on steps nor on samples, but for the counts returned.
    chunk_bytes: decides how many samples are run together (`samples`), and how many ticks at a time (`ticks`): one of
    each at least. Integer networks give the same counts and outputs whatever it is.
    lossy: a channel will lose spikes.
    """

    def __init__(
        self,
        graph: Graph,
        steps: int,
        settle: int | None = None,
        calibrate: int = 0,
        chunk_bytes: int = CHUNK_BYTES,
        lossy: bool = False,
    ) -> None:
        self.plan = Plan(graph, steps, settle, calibrate, lossy)
        fit = max(1, chunk_bytes // self.plan.tick_bytes())
        self.samples = max(1, fit // self.plan.likely)
        self.ticks = max(1, fit // self.samples)
        self.updates = 0  #: of neurons, about, in the runs so far

    def run(
        self,
        x: Array,
        progress: Progress | None = None,
        given: Mapping[str, Array] | None = None,
        watch: Watch | None = None,
        channel: Channel | None = None,
    ) -> Run:
        """Simulates `x` (batch, *input shape); `progress` is called with the number of samples done so far.

        given: counts by population; what such a population sends on is these counts, evenly spread over the
        inject steps, so that every layer is tried alone. The counts returned are what it would have sent.
        watch: is told of every chunk and block.  channel: carries the spikes, and may lose some.
        """
        runs: list[Run] = []
        self.updates += len(x) * self.plan.likely * self.plan.neurons
        loop = fused_loop(self.updates)
        for start in range(0, len(x), self.samples):
            chunk = slice(start, start + self.samples)
            counts_given = {name: counts[chunk] for name, counts in (given or {}).items()}
            if watch is not None:
                watch.begin(start, x[chunk])
            runs.append(self._run(x[chunk], counts_given, watch, channel, start, loop))
            if watch is not None:
                watch.end(runs[-1])
            if progress is not None:
                progress(min(chunk.stop, len(x)))
        return joined(runs)

    def _run(
        self,
        x: Array,
        given: Mapping[str, Array],
        watch: Watch | None,
        channel: Channel | None,
        sample: int,
        loop: Loop | None,
    ) -> Run:
        plan = self.plan
        starts, before = self._calibrate(x)
        course = Course(plan, x, given, starts, watch, channel, sample, loop)
        for block in plan.blocks(self.ticks):
            course.advance(block)
            if course.silent:
                break
        populations = course.populations
        last = max((population.last for population in populations.values()), default=0)
        return Run(
            course.outputs(),
            plan.calibrate + (max(last, plan.steps) if plan.settle is None else plan.most),
            {name: population.counts for name, population in populations.items()},
            {name: population.spikes + before.get(name, 0) for name, population in populations.items()},
        )

    def _calibrate(self, x: Array) -> tuple[dict[str, Array], dict[str, int]]:
        """Initial membranes of the samples, and the spikes that finding them took."""
        if not self.plan.calibrate:
            return {}, {}
        trial = Trial(self.plan, x)
        trial.advance(Block(0, self.plan.calibrate))
        return trial.starts, trial.spikes
