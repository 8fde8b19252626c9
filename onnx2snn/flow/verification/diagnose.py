"""Where and why a spiking network's counts differ from its model's, and what would mend it, tried out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

import numpy as np

from onnx2snn.analysis.causes import CAUSES, TIMING, Cause, Given, Population, causes, tally
from onnx2snn.analysis.coarser import coarsened, spike_worth, too_fine
from onnx2snn.artifact import Schedule
from onnx2snn.backends.base import Backend
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.flow.verification.charges import charges
from onnx2snn.flow.verification.findings import Diagnosis, Kind, LayerDiagnosis, RealError, Trial
from onnx2snn.flow.verification.mending import advice
from onnx2snn.flow.verification.reference import Truth
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import LIF, Neuron, Staircase
from onnx2snn.passes import MakeInteger, MapNeurons, most_levels, run_passes

TRIED = 32  #: samples that remedies are tried on
SETTLES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  #: more settle steps that are tried
#: Codes that are tried in place of another, of those that the backend runs.
REMEDIES = {"if": ("signed-if", "st-bif", "ladder"), "signed-if": ("st-bif",), "lif": ("st-bif",)}


class Measure:
    """Finds the causes of one network's differences, batch by batch.

    Raises nothing of its own: populations that stand for no staircase are left out.
    """

    def __init__(self, reference: Graph, network: Graph, schedule: Schedule) -> None:
        from onnx2snn.backends.numpy.plan import Plan

        steps = schedule.steps
        self.reference, self.network, self.schedule = reference, network, schedule
        fine = too_fine(reference, network, steps)
        self.climbed = coarsened(reference, fine, steps) if fine else reference
        self.kinds = Plan(network, steps, schedule.settle, 0).kinds
        worth = spike_worth(reference, network, steps)
        self.populations: dict[str, Population] = {}
        for node in network.of(Neuron):
            stairs, climbed = (graph.get(node.name) for graph in (reference, self.climbed))
            if stairs is None or climbed is None or not isinstance(node.op, Neuron):
                continue
            if isinstance(stairs.op, Staircase) and isinstance(climbed.op, Staircase):
                self.populations[node.name] = Population(node.op, stairs.op, climbed.op, worth[node.name])
        self.layers = {name: LayerDiagnosis(name) for name in self.populations}

    def forced(self, model: Mapping[str, Array]) -> dict[str, Array]:
        """The counts of spikes that stand for the model's counts, by population."""
        return {
            name: np.clip(population.spikes(model[name]), population.climbed.lo, population.climbed.hi)
            for name, population in self.populations.items()
        }

    def run(self, x: Array, given: Mapping[str, Array] | None = None) -> tuple[dict[str, Array], int]:
        """Counts of the network, or of each layer alone on `given` counts, and how many steps it took."""
        from onnx2snn.backends.numpy import NumpySimulator

        schedule = self.schedule
        calibrate = 0 if given is not None else schedule.calibrate
        found = NumpySimulator(self.network, schedule.steps, schedule.settle, calibrate).run(x, given=given)
        return found.counts, found.steps

    def add(
        self, x: Array, model: Mapping[str, Array], found: Mapping[str, Array], alone: Mapping[str, Array] | None = None
    ) -> None:
        """Takes in one batch: the model's counts (levels), the network's and those of each layer alone (spikes)."""
        forced = self.forced(model)
        values = charges(self.reference, x, model)
        coarse = values if self.climbed is self.reference else charges(self.climbed, x, forced)
        still, moving = (charges(self.network, x, sent, self.kinds) for sent in (forced, found))
        for name, population in self.populations.items():
            layer, true = self.layers[name], still[name]
            layer.counts += model[name].size
            shared = (model[name], values[name], coarse[name], true)
            for into, reached, counts in ((layer.network, moving[name], found), (layer.alone, true, alone)):
                if counts is None or (population.levels(counts[name]) == model[name]).all():
                    continue
                for cause, number in tally(causes(population, Given(*shared, reached, counts[name]))).items():
                    into[cause] += number


class Diagnoser:
    """Collects batches of a measurement, then tries remedies and puts the outcome into words.

    backend: no code that it cannot run is a remedy, nor are settle steps where it takes none.
    """

    def __init__(
        self, reference: Graph, network: Graph, schedule: Schedule, code: str, integer: bool, backend: Backend
    ) -> None:
        self.measure = Measure(reference, network, schedule)
        self.code, self.integer, self.backend = code, integer, backend
        self.tried: tuple[Array, dict[str, Array]] | None = None
        self.now: dict[str, Array] = {}

    def add(self, x: Array, truth: Truth, found: Mapping[str, Array], alone: Mapping[str, Array]) -> None:
        """Takes in one batch; see `Measure.add`."""
        model = truth.counts
        self.measure.add(x, model, found, alone)
        for name, real in truth.real.items():
            if name in self.measure.layers:
                layer, stairs = self.measure.layers[name], self.measure.populations[name].stairs
                layer.real = layer.real or RealError()
                layer.real.add(stairs, real, model[name])
        if self.tried is None:
            self.tried = x[:TRIED], {name: counts[:TRIED] for name, counts in model.items()}
            self.now = {name: counts[:TRIED] for name, counts in found.items()}

    def finish(self) -> Diagnosis:
        """The diagnosis of all batches."""
        layers = tuple(self.measure.layers.values())
        found: set[Cause] = {cause for layer in layers for cause in CAUSES if layer.network[cause]}
        trials = (*self._settling("late" in found), *self._others(found))
        for layer in layers:
            layer.advice = advice(layer, self.measure.layers, self.measure.network, trials)
        return Diagnosis(layers, trials)

    def _settling(self, late: bool) -> Iterator[Trial]:
        """More and more settle steps, up to the first number with which nothing is late."""
        schedule = self.measure.schedule
        if not late or schedule.settle is None or not self.backend.settles:
            return
        for more in SETTLES:
            longer = replace(schedule, settle=schedule.settle + more)
            trial = self._trial("settle", f"--settle {longer.settle}", self.measure.network, longer)
            yield trial
            if not any(trial.late.values()):
                return

    def _others(self, found: Set[Cause]) -> Iterator[Trial]:
        """Other codes, and as many steps as there are levels, where they may help."""
        schedule, levels = self.measure.schedule, most_levels(self.measure.reference)
        if "quantisation" in found:
            yield from self._converted("steps", f"--steps {levels}", self.code, Schedule(levels, schedule.settle))
        for code in self._remedies() if found & set(TIMING) else ():
            settle = None if code == "st-bif" else schedule.settle
            timing = Schedule(1, 0) if code == "ladder" else Schedule(schedule.steps, settle)
            yield from self._converted("code", f"--code {code}", code, timing)

    def _remedies(self) -> list[str]:
        """Codes to try; of the exact ones the first."""
        able = [code for code in REMEDIES.get(self.code, ()) if code in self.backend.codes]
        return [code for code in able if code != "ladder" or "st-bif" not in able]

    def _converted(self, kind: Kind, remedy: str, code: str, schedule: Schedule) -> Iterator[Trial]:
        steps = schedule.steps
        recipe = (self._mapping(code, steps), *((MakeInteger(steps=steps),) if self.integer else ()))
        try:
            network = run_passes(self.measure.reference, recipe)
        except Onnx2SnnError:  # it has no such form, and is no remedy
            return
        yield self._trial(kind, remedy, network, schedule)

    def _mapping(self, code: str, steps: int) -> MapNeurons:
        """The pass to neurons of a code, with the leak that the network has."""
        leaky = [node.op for node in self.measure.network.of(LIF) if isinstance(node.op, LIF)]
        if code != "lif" or not leaky:
            return MapNeurons(code=code, steps=steps)
        return MapNeurons(code, steps, leaky[0].decay, leaky[0].reset)

    def _trial(self, kind: Kind, remedy: str, network: Graph, schedule: Schedule) -> Trial:
        assert self.tried is not None
        x, model = self.tried
        now, other = self.measure, Measure(self.measure.reference, network, schedule)
        found, steps = other.run(x)
        other.add(x, model, found)
        return Trial(
            kind=kind,
            remedy=remedy,
            samples=len(x),
            steps=steps,
            before={name: _differing(p, self.now[name], model[name]) for name, p in now.populations.items()},
            differing={name: _differing(p, found[name], model[name]) for name, p in other.populations.items()},
            late={name: layer.network["late"] for name, layer in other.layers.items()},
        )


def _differing(population: Population, found: Array, model: Array) -> int:
    return int((population.levels(found) != model).sum())
