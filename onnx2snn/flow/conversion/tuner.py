"""The facts from data that make a real-valued model a network of staircases, and correct it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from onnx2snn.analysis.calibration import (
    DIGITS,
    Range,
    channel_axis,
    histograms,
    ranges,
    short,
    sites,
)
from onnx2snn.analysis.comparison import Difference, difference, means, twin_of
from onnx2snn.flow.conversion.calibration import CORRECTIONS, Calibration
from onnx2snn.flow.data import check_samples
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Input, Neuron, Staircase
from onnx2snn.passes import (
    AddReadouts,
    LiftQuantisers,
    MapNeurons,
    ProbeStaircases,
    QuantiseActivations,
    Recipe,
    ShiftActivations,
    StartMembranes,
    run_passes,
    steps_of,
)
from onnx2snn.reference import evaluate, inputs_of

Samples = Array | Callable[[], Iterable[Array]]  #: an array, or what gives the batches anew every time it is called
BATCH = 64
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)  #: of a range, tried by correction theta


@dataclass(frozen=True)
class Facts:
    """What was found on data; by node name, channel arrays or numbers.

    covered: clip ranges of activations.  bias, v0: corrections, in the units of the model.
    membranes: correction v0 of the staircases that the model itself has, in its units.
    """

    covered: dict[str, Range] = field(default_factory=dict[str, Range])
    bias: dict[str, Array] = field(default_factory=dict[str, Array])
    v0: dict[str, Array] = field(default_factory=dict[str, Array])
    membranes: dict[str, Array] = field(default_factory=dict[str, Array])

    @property
    def shifts(self) -> dict[str, Array]:
        """What is added in front of each activation in all."""
        none = np.zeros(())
        return {name: self.bias.get(name, none) + self.v0.get(name, none) for name in self.bias | self.v0}


@dataclass(frozen=True)
class Target:
    """What is to run: the passes to staircases, the code, its inject and settle steps, decay and reset of code lif."""

    staircases: Recipe
    code: str
    steps: int
    settle: int = 0
    decay: float = MapNeurons.decay
    reset: str = MapNeurons.reset

    @property
    def mapping(self) -> MapNeurons:
        """The pass from staircases to neurons."""
        return MapNeurons(self.code, self.steps, self.decay, self.reset)


@dataclass(frozen=True)
class Tuner:
    """Works out the facts of a real-valued model `ann`, its quantisers lifted to their activations, on samples.

    Corrections go layer by layer, each with those before it in force, comparing the activations of the model with
    those of the network: of its staircases where the code is exact, else of its spikes after all steps.

    `theta`: each range is scaled by the one of `SHARES` with the least squared error (threshold balancing on the
    network's own spike counts).
    `bias`: the mean difference of each channel is added to its bias (Li et al., ICML 2021, "light" pipeline).
    `v0`: the mean difference that is left is put into the initial membrane (the "potential correction" of the
    "advanced" pipeline there, but one number a channel instead of one a neuron). Staircases that the model itself has
    take this one alone, where the code is inexact: their thresholds and biases were trained.
    """

    ann: Graph
    calibration: Calibration = field(default_factory=Calibration)
    samples: Samples | None = None

    def batches(self) -> Iterator[Array]:
        """All samples, a batch after the other."""
        inputs = inputs_of(self.ann)
        if callable(self.samples):
            for batch in self.samples():
                yield check_samples(batch, inputs)
        elif self.samples is not None:
            for start in range(0, len(self.samples), BATCH):
                yield self.samples[start : start + BATCH]

    @cached_property
    def facts(self) -> Facts:
        """Clip ranges, before any correction."""
        if self.samples is None:
            return Facts()
        chosen = self.calibration
        probed = run_passes(self.ann, (ProbeStaircases(),))  # quantisers spelled in other ways are none
        names = tuple(name for name in sites(probed) if name in self.ann)
        if not names:
            return Facts()
        found = histograms(self.ann, self.batches(), names, chosen.per_channel)
        return Facts(ranges(found, chosen.method, chosen.levels, chosen.percentile))

    @cached_property
    def of_input(self) -> Recipe:
        """The pass that quantises the input, where that is asked for."""
        if not self.calibration.input_levels:
            return ()
        names = tuple(node.name for node in self.ann.of(Input))
        covered = ranges(histograms(self.ann, self.batches(), names), "max")
        return (QuantiseActivations(levels=self.calibration.input_levels, ranges=_sides(covered)),)

    @cached_property
    def of_weights(self) -> Recipe:
        """The passes that round weights, where there is one to round."""
        return self.calibration.of_weights(self.ann)

    def front(self, facts: Facts) -> Recipe:
        """The passes that come before all others, with these facts."""
        steps: Recipe = self.of_input
        if facts.covered:
            steps = (*steps, QuantiseActivations(levels=self.calibration.levels, ranges=_sides(facts.covered)))
        shifts = {name: _plain(short(shift)) for name, shift in facts.shifts.items()}
        if shifts:
            steps = (*steps, ShiftActivations(shifts=shifts))
        steps = (*steps, *self.of_weights)  # last: what the layers read has its range by then
        return (LiftQuantisers(), *steps) if steps else ()

    def tuned(self, target: Target) -> tuple[Recipe, Recipe]:
        """The passes before all others, and those after the neurons are there, corrected for a target."""
        facts = self.facts
        for name in CORRECTIONS:
            if name in self.calibration.correct:
                for site in facts.covered:
                    facts = self._corrected(facts, name, site, target)
        front = self.front(facts)
        if "v0" in self.calibration.correct:
            facts = self._started(facts, run_passes(self.ann, (*front, *target.staircases)), target)
        mapped = run_passes(self.ann, (*front, *target.staircases, target.mapping))
        return front, _start(facts, mapped)

    def _corrected(self, facts: Facts, name: str, site: str, target: Target) -> Facts:
        if name == "theta":
            return self._balanced(facts, site, target)
        found = self._compare(facts, site, target)
        if found is None:
            return facts
        known = getattr(facts, name)
        return replace(facts, **{name: known | {site: _rounded(found.mean, facts.covered[site].high)}})

    def _balanced(self, facts: Facts, site: str, target: Target) -> Facts:
        best, least = facts, np.inf
        whole = facts.covered[site]
        for share in SHARES:
            tried = Range(short(whole.low * share), short(whole.high * share))
            trial = replace(facts, covered=facts.covered | {site: tried})
            found = self._compare(trial, site, target)
            if found is not None and found.square < least:
                best, least = trial, found.square
        return best

    def _compare(self, facts: Facts, site: str, target: Target) -> Difference | None:
        """Model minus network at one activation; None where its staircase has gone into another."""
        graph = run_passes(self.ann, (*self.front(facts), *target.staircases))
        stairs = steps_of(site)
        node = graph.get(stairs)
        if node is None or not isinstance(node.op, Staircase):
            return None
        twin = twin_of(self.ann, site, graph, stairs)
        model, network = _upto(self.ann, twin), _upto(graph, stairs)
        values = self._values(facts, network, stairs, target)
        pairs = ((evaluate(model, x)[twin], values(x)) for x in self.batches())
        return difference(pairs, channel_axis(self.ann, site))

    def _started(self, facts: Facts, graph: Graph, target: Target) -> Facts:
        """Membranes of the model's own staircases in `graph`, from the first layer on."""
        mapped = run_passes(graph, (AddReadouts(), target.mapping))
        calibrated = {steps_of(site) for site in facts.covered}
        names = [n.name for n in graph.of(Staircase) if n.name not in calibrated and not _neuron(mapped, n.name).exact]
        axes = {name: channel_axis(graph, name) for name in names}
        wanted = means((evaluate(graph, x) for x in self.batches()), axes) if names else {}
        for name in names:
            values = self._values(facts, _upto(graph, name), name, target)
            found = means(({name: values(x)} for x in self.batches()), {name: axes[name]})[name]
            missing = wanted[name] - found
            if missing.any():
                largest = _neuron(mapped, name).value * target.steps
                facts = replace(facts, membranes=facts.membranes | {name: _rounded(missing, np.asarray(largest))})
        return facts

    def _values(self, facts: Facts, network: Graph, stairs: str, target: Target) -> Callable[[Array], Array]:
        """What the network puts out at a staircase: its value, or its spikes' where they depend on timing."""
        from onnx2snn.backends.numpy import NumpySimulator

        mapped = run_passes(network, (AddReadouts(), target.mapping))
        mapped = run_passes(mapped, _start(facts, mapped))
        op = _neuron(mapped, stairs)
        if op.exact:
            return lambda x: evaluate(network, x)[stairs]
        simulator = NumpySimulator(mapped, target.steps, target.settle)
        return lambda x: simulator.run(x).counts[stairs] * op.value


def _rounded(shift: Array, largest: Array) -> Array:
    """A shift to as many decimals as tell a millionth of the range: rounding noise must not reach a recipe."""
    decimals = DIGITS - math.floor(math.log10(float(largest.max())))
    return np.round(shift, decimals) + 0.0  # never -0.0


def _start(facts: Facts, neurons: Graph) -> Recipe:
    """The passes that start the membranes of `neurons`: v0 corrections out of the bias, those of the model's own."""
    out_of_bias = {steps_of(site): shift for site, shift in facts.v0.items()}
    steps = (
        StartMembranes(fractions=_fractions(out_of_bias, neurons)),
        StartMembranes(fractions=_fractions(facts.membranes, neurons), balanced=False),
    )
    return tuple(step for step in steps if step.fractions)


def _fractions(shifts: dict[str, Array], neurons: Graph) -> dict[str, float | list[float]]:
    """Shifts as fractions of the thresholds of the neurons that there are."""
    found: dict[str, float | list[float]] = {}
    for name, shift in shifts.items():
        node = neurons.get(name)
        if node is not None and isinstance(node.op, Neuron):
            theta = node.op.theta.ravel()
            found[name] = _plain(short(shift / (theta if len(theta) == len(shift) else theta[0])))
    return found


def _neuron(graph: Graph, name: str) -> Neuron:
    op = graph[name].op
    assert isinstance(op, Neuron)
    return op


def _upto(graph: Graph, name: str) -> Graph:
    """The part of a graph that node `name` depends on."""
    part = graph.copy()
    part.outputs = (name,)
    part.prune()
    return part


def _sides(covered: dict[str, Range]) -> dict[str, tuple[float | list[float], float | list[float]]]:
    """Ranges as a recipe says them; a side that is nowhere but zero is one number."""
    return {name: (_plain(side.low) if side.low.any() else 0.0, _plain(side.high)) for name, side in covered.items()}


def _plain(values: Array) -> float | list[float]:
    return float(values) if np.ndim(values) == 0 else [float(v) for v in values]
