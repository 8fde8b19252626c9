"""From a trained spiking network to the network that a backend takes: no staircases to map, neurons as they are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from onnx2snn.analysis.imported import certify_imported
from onnx2snn.artifact import Network, Schedule, Source
from onnx2snn.backends.base import Backend
from onnx2snn.errors import BackendError, UsageError
from onnx2snn.flow.conversion.calibration import Calibration
from onnx2snn.flow.conversion.options import MOST_STEPS, Options
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import LIF, Conv, Dense, Neuron
from onnx2snn.passes import (
    IMPORTED,
    STAIRCASES,
    InjectSteps,
    MapNeurons,
    Pass,
    Recipe,
    approximate,
    run_passes,
)
from onnx2snn.passes.base import Observer
from onnx2snn.passes.text import print_recipe
from onnx2snn.reference import constant_nodes

MAPPED = ("code", "decay", "passes", "most_levels", "calibrate_steps", "drop_requantisation", "bits")


@dataclass(frozen=True)
class Imported:
    """A trained spiking network as it was read, and what is asked of it.

    steps: what its file asks for, 0 where it says nothing.  reading, notes: see `Reading`, its settings and notes.
    """

    graph: Graph
    source: Source
    options: Options
    calibration: Calibration
    steps: int
    reading: str
    notes: tuple[str, ...] = ()
    command: str = ""

    def __post_init__(self) -> None:
        asked = [name for name in MAPPED if getattr(self.options, name) != getattr(Options(), name)]
        if asked:
            raise UsageError(f"`{'`, `'.join(asked)}`: goes with an ONNX network; this file holds neurons of its own")
        if self.calibration.needs_samples:
            raise UsageError(
                "calibration: goes with an ONNX network; of a spiking one `weight_bits` alone, and what goes with it"
            )
        if self.options.settle == "auto":
            raise UsageError("`settle`: a number of steps expected for a trained spiking network, found 'auto'")
        if not (self.options.steps or self.steps):
            raise UsageError("`steps`: a number expected, as the file does not say how long a run is")
        if self.steps > MOST_STEPS and not self.options.steps:
            raise UsageError(f"`steps`: its file asks for {self.steps}, at most {MOST_STEPS} expected; say how many")

    @property
    def code(self) -> str:
        """The code of its neurons, which are all of one kind."""
        return next((node.op.code for node in self.graph.of(Neuron) if isinstance(node.op, Neuron)), "if")

    @cached_property
    def of_weights(self) -> Recipe:
        """The passes that round its weights, where there is one to round."""
        return self.calibration.of_weights(self.graph)

    def lower(self, backend: Backend, observer: Observer | None = None) -> Network:
        """The network as `backend` takes it, its design rules checked."""
        if self.code not in backend.codes:
            hint = self._hint() if self.code == "lif" else ""
            raise BackendError(
                f"backend {backend.name} cannot run code {self.code}; it runs: {', '.join(backend.codes)}{hint}"
            )
        first, *others = ((),) if self.of_weights else backend.imported(self.code)
        try:
            return self._lowered(backend, first, observer)
        except BackendError:
            for weights in others:
                with suppress(BackendError):
                    return self._lowered(backend, weights, observer)
            raise

    def _lowered(self, backend: Backend, weights: Recipe, observer: Observer | None) -> Network:
        """The same with these passes over its weights."""
        steps, settle = self.options.steps or self.steps, self.options.settle or 0
        assert isinstance(settle, int)
        recipe = self._recipe(backend, weights, steps)
        reference, lost = approximate(self.graph, recipe, observer)
        integer = self._integer(backend, reference)
        whole = _timed(backend.neurons(self.code, steps, integer))
        notes = list(self.notes)

        def watch(step: Pass, graph: Graph, reasons: Sequence[str]) -> None:
            notes.extend(reasons)
            if observer is not None:
                observer(step, graph, reasons)

        graph = run_passes(reference, whole, watch)
        network = Network(
            graph=graph,
            schedule=Schedule(steps, settle),
            code=self.code,
            integer=integer,
            source=self.source,
            reading=self.reading,
            staircase_passes=print_recipe(recipe),
            neuron_passes=print_recipe(whole),
            certificate=certify_imported(reference, graph, steps, settle, lost),
            command=self.command,
            notes=tuple(notes),
        )
        backend.check(network)
        return network

    def _hint(self) -> str:
        if any(node.op.leaks for node in self.graph.of(LIF) if isinstance(node.op, LIF)):
            return "; neurons that leak run on numpy, torch and loihi"
        return "; --reset subtract lets its IF neurons be code if"

    def _recipe(self, backend: Backend, weights: Recipe, steps: int) -> Recipe:
        """Passes to synapses that can become whole numbers; of a backend's own those that go beyond the common ones."""
        own = tuple(step for step in backend.staircases() if step not in STAIRCASES)
        return (*self.of_weights, *IMPORTED, *weights, *own, InjectSteps(steps))

    def _integer(self, backend: Backend, reference: Graph) -> bool:
        """Whole numbers, unless asked otherwise, where weights behind the first synapse are whole and nothing leaks."""
        wanted = self.options.integer
        if wanted is None:
            weighted = ((n.name, n.op) for n in reference.of(Conv, Dense))
            real = [name for name, op in weighted if isinstance(op, (Conv, Dense)) and op.weight.dtype.kind == "f"]
            natural = self.code == "if" and constant_nodes(reference).issuperset(real)
            return "integer" in backend.arithmetic if natural else "float" not in backend.arithmetic
        name = "integer" if wanted else "float"
        if name not in backend.arithmetic:
            raise BackendError(f"backend {backend.name} computes in {backend.arithmetic[0]} only, --{name} asked for")
        return wanted


def _timed(recipe: Recipe) -> Recipe:
    """A backend's passes from staircases to whole numbers without the mapping; neurons keep their timing."""
    steps = (step for step in recipe if not isinstance(step, MapNeurons))
    return tuple(replace(step, timed=True) if hasattr(step, "timed") else step for step in steps)  # type: ignore[call-arg]
