"""From a model file to networks and artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from onnx2snn.analysis.certificate import Certificate, certify
from onnx2snn.analysis.widths import is_integer
from onnx2snn.artifact import Manifest, ModelRecord, Network, Schedule, Source, check_target, seal, writing
from onnx2snn.backends.base import Backend
from onnx2snn.errors import BackendError, UnknownNameError, UsageError
from onnx2snn.flow.budget import Budget
from onnx2snn.flow.calibrate import Calibration, Samples, Target, Tuner
from onnx2snn.flow.data import check_samples, read_samples
from onnx2snn.flow.layer_records import layer_records
from onnx2snn.frontends.onnx import read_onnx
from onnx2snn.ir import Array, Graph, save_graph
from onnx2snn.ir.ops import LIF, Conv, Dense, Neuron, Reset, Staircase
from onnx2snn.passes import (
    CODES,
    UNSIGNED,
    CoarsenStaircases,
    DropRequantisation,
    LiftQuantisers,
    MapNeurons,
    MoveMaxpool,
    OffsetStaircases,
    Pass,
    Recipe,
    approximate,
    check_leak,
    most_levels,
    run_passes,
)
from onnx2snn.passes.base import Observer
from onnx2snn.passes.text import parse_recipe, print_recipe
from onnx2snn.plugins import load_backend
from onnx2snn.reference import Run, inputs_of, settle_bound
from onnx2snn.version import __version__

Settle = int | Literal["auto"]
MOST_STEPS = (1 << 16) - 1  #: levels of the widest quantiser that is read


@dataclass(frozen=True)
class Options:
    """How to convert; None leaves the choice to the model and the backend.

    code: name of a code.  steps: inject steps; by default the largest number of levels.
    settle: steps after them; by default "auto" (until silent) for exact codes and 0 for the others.
    calibrate_steps: steps of a run before each that finds the initial membranes of the samples (code `if`); 0: none.
    integer: whole-number arithmetic; by default where all weights are quantised.
    passes: the text of a recipe that replaces the backend's own.
    most_levels: staircases with more levels get this many, which makes 8-bit models fast; 0: leave them.
    drop_requantisation: signed quantisers of branches that only a sum reads are removed; an approximation.
    decay, reset: of code `lif`: what a membrane keeps from step to step (0.9), and what a spike does to it: "subtract"
    the threshold (default) or back to "zero".
    bits: what weights, thresholds and membranes may take.
    """

    code: str | None = None
    steps: int | None = None
    settle: Settle | None = None
    integer: bool | None = None
    passes: str | None = None
    most_levels: int = 0
    calibrate_steps: int = 0
    drop_requantisation: bool = False
    decay: float | None = None
    reset: str | None = None
    bits: Budget | None = None

    def __post_init__(self) -> None:
        if self.code is not None and self.code not in CODES:
            raise UnknownNameError(f"no code {self.code!r}; known: {', '.join(CODES)}")
        if self.steps is not None:
            _check_number("steps", self.steps, 1)
        if self.settle is not None and not (isinstance(self.settle, str) and self.settle == "auto"):
            _check_number("settle", self.settle, 0, " or 'auto'")
        _check_number("most_levels", self.most_levels, 0)
        _check_number("calibrate_steps", self.calibrate_steps, 0)
        if self.drop_requantisation and self.passes is not None:
            raise UsageError("drop_requantisation: goes with the backend's own recipe; name the pass in passes instead")
        for step in parse_recipe(self.passes or ""):
            if isinstance(step, MapNeurons):
                _check_number("pass map-neurons: steps", step.steps, 0)
                self._check_schedule(step.code)
        if self.code is not None:
            self._check_schedule(self.code)
        if (self.decay, self.reset) != (None, None) and (self.code != "lif" or self.passes is not None):
            raise UsageError("decay, reset: go with --code lif; beside --passes, map-neurons takes them itself")
        check_leak("lif", *self.leak)

    def _check_schedule(self, code: str) -> None:
        """Units side by side need one step, and rest after it."""
        if code == "ladder" and self.steps not in (None, 1):
            raise UsageError(f"steps: code ladder runs in one step, all units at once; found {self.steps}")
        if code == "ladder" and self.settle not in (None, 0, "auto"):
            raise UsageError(f"settle: code ladder is done after its one step; 0 or auto expected, found {self.settle}")

    @property
    def leak(self) -> tuple[float, str]:
        """Decay and reset, the defaults filled in."""
        return (
            MapNeurons.decay if self.decay is None else self.decay,
            MapNeurons.reset if self.reset is None else self.reset,
        )


@dataclass(frozen=True)
class Conversion:
    """A model that has been read, and the options to convert it with; made by `convert`."""

    ann: Graph
    source: Source
    options: Options
    calibration: Calibration = field(default_factory=Calibration)
    samples: Samples | None = None
    command: str = ""

    @cached_property
    def tuner(self) -> Tuner:
        """What quantises the model where it is real-valued."""
        return Tuner(LiftQuantisers()(self.ann), self.calibration, self.samples)

    @cached_property
    def network(self) -> Network:
        """The network as the `numpy` backend has it."""
        return self.lower(load_backend("numpy"))

    @property
    def calibrated(self) -> bool:
        """Whether calibration found something real-valued to quantise."""
        return bool(self.tuner.front(self.tuner.facts))

    @property
    def certificate(self) -> Certificate:
        """What is proven of it."""
        return self.network.certificate

    def simulate(self, x: Array | Mapping[str, Array]) -> Run:
        """Runs samples `x` (N, *input shape), or by name where there are several inputs, in the NumPy simulator."""
        from onnx2snn.backends.numpy import NumpySimulator

        schedule = self.network.schedule
        samples = check_samples(x, self.network.inputs)
        return NumpySimulator(self.network.graph, schedule.steps, schedule.settle, schedule.calibrate).run(samples)

    def save(self, folder: str | Path, backend: str = "numpy", force: bool = False) -> Manifest:
        """Writes an artifact for a backend; the folder appears whole or not at all."""
        chosen = load_backend(backend)
        return save(self.lower(chosen), chosen, Path(folder), force)

    def lower(self, backend: Backend, observer: Observer | None = None) -> Network:
        """The network as `backend` takes it, its design rules checked."""
        staircases, mapping = self._recipes(backend)
        tuner, corrections = self.tuner, self.calibration.correct
        front, start = tuner.front(tuner.facts), ()
        reference, lost = approximate(self.ann, (*front, *staircases), None if corrections else observer)
        code = self._code(backend) if mapping is None else _code_of(mapping)
        if code in UNSIGNED and self.options.passes is None and _has_negative_counts(reference):
            staircases = _with(staircases, OffsetStaircases(), before=MoveMaxpool)  # shifts may keep a pool in place
            reference, lost = approximate(self.ann, (*front, *staircases), None if corrections else observer)
        steps = self.options.steps or (_steps_of(mapping) if mapping else 0) or _default_steps(code, reference)
        integer = self._integer(backend, reference)
        if corrections:
            front, start = tuner.tuned(
                Target(staircases, code, steps, self._settle_steps, *_leak_of(mapping, self.options))
            )
            reference, lost = approximate(self.ann, (*front, *staircases), observer)
        recipe = (*(self._leaky(backend.neurons(code, steps, integer)) if mapping is None else mapping), *start)
        recipe = recipe if self.options.bits is None else self.options.bits.applied(recipe)
        notes: list[str] = []

        def watch(step: object, graph: Graph, reasons: Sequence[str]) -> None:
            notes.extend(reasons)
            if observer is not None:
                observer(step, graph, reasons)  # type: ignore[arg-type]

        graph = run_passes(reference, recipe, watch)
        if mapping is not None:
            integer = is_integer(graph)
        schedule = Schedule(steps, self._settle(graph, code), self._calibrate_steps(backend, code))
        network = Network(
            graph=graph,
            schedule=schedule,
            code=code,
            integer=integer,
            source=self.source,
            staircase_passes=print_recipe((*front, *staircases)),
            neuron_passes=print_recipe(recipe),
            certificate=certify(reference, graph, steps, schedule.settle, lost),
            command=self.command,
            notes=tuple(notes),
        )
        backend.check(network)
        return network

    def _recipes(self, backend: Backend) -> tuple[Recipe, Recipe | None]:
        """The passes to staircases, and those after them where the user wrote them out."""
        coarser: Recipe = (CoarsenStaircases(self.options.most_levels),) if self.options.most_levels else ()
        if self.options.passes is None:
            recipe = backend.staircases()
            if self.options.drop_requantisation:
                recipe = _with(recipe, DropRequantisation(), before=MoveMaxpool)
            return (*recipe, *coarser), None
        recipe = parse_recipe(self.options.passes)
        cut = next((i for i, step in enumerate(recipe) if isinstance(step, MapNeurons)), len(recipe))
        return (*recipe[:cut], *coarser), recipe[cut:] or None

    def _code(self, backend: Backend) -> str:
        code = self.options.code or backend.codes[0]
        if code not in backend.codes:
            raise BackendError(f"backend {backend.name} cannot run code {code}; it runs: {', '.join(backend.codes)}")
        return code

    def _leaky(self, recipe: Recipe) -> Recipe:
        """A backend's recipe with the decay and reset asked for."""
        decay, reset = self.options.leak
        return tuple(
            replace(step, decay=decay, reset=reset) if isinstance(step, MapNeurons) else step for step in recipe
        )

    @property
    def _settle_steps(self) -> int:
        """Settle steps of a code that depends on timing."""
        return self.options.settle if isinstance(self.options.settle, int) else 0

    def _settle(self, graph: Graph, code: str) -> int | None:
        if code == "ladder":
            return 0
        exact = all(node.op.exact for node in graph.of(Neuron) if isinstance(node.op, Neuron))
        settle: Settle = self.options.settle if self.options.settle is not None else ("auto" if exact else 0)
        return None if settle == "auto" else settle

    def _calibrate_steps(self, backend: Backend, code: str) -> int:
        wanted = self.options.calibrate_steps
        if wanted and code != "if":
            raise UsageError(f"calibrate_steps: code if expected, which alone has offsets to calibrate; found {code}")
        if wanted and not backend.calibrates:
            raise BackendError(f"backend {backend.name} cannot calibrate initial membranes; use --backend numpy")
        return wanted

    def _integer(self, backend: Backend, reference: Graph) -> bool:
        wanted = self.options.integer
        if wanted is None:
            kinds = {
                node.op.weight.dtype.kind for node in reference.of(Conv, Dense) if isinstance(node.op, (Conv, Dense))
            }
            return ("integer" in backend.arithmetic) if kinds <= {"i"} else ("float" not in backend.arithmetic)
        name = "integer" if wanted else "float"
        if name not in backend.arithmetic:
            raise BackendError(f"backend {backend.name} computes in {backend.arithmetic[0]} only, --{name} asked for")
        return wanted


def convert(
    model: str | Path,
    *,
    code: str | None = None,
    steps: int | None = None,
    settle: Settle | None = None,
    integer: bool | None = None,
    passes: str | None = None,
    most_levels: int = 0,
    calibrate_steps: int = 0,
    drop_requantisation: bool = False,
    decay: float | None = None,
    reset: str | None = None,
    bits: Budget | None = None,
    calibrate: Samples | Path | None = None,
    calibration: Calibration | None = None,
    command: str = "",
) -> Conversion:
    """Reads an ONNX file and prepares its conversion to a spiking network.

    model: path of the file.  code, steps, settle, integer, passes, most_levels, calibrate_steps, drop_requantisation,
    decay, reset, bits: see `Options`.
    calibrate: samples (N, *input shape), a data file, or a function that gives batches of them anew at every call, to
    quantise real-valued activations with.  calibration: how; by default 15 levels up to the largest value seen.
    Raises `UsageError` for options that can never work, `DataError` for samples that do not fit, `ModelError` for a
    file that cannot be taken; later steps raise `PassError` and `BackendError`.
    """
    options = Options(
        code, steps, settle, integer, passes, most_levels, calibrate_steps, drop_requantisation, decay, reset, bits
    )
    chosen = calibration or Calibration()
    if calibrate is None and chosen.needs_samples:
        raise UsageError("calibration: samples to calibrate on expected, found none")
    path = Path(model)
    ann = read_onnx(path).graph
    if isinstance(calibrate, Path):
        calibrate = read_samples(calibrate, inputs_of(ann)).x
    elif calibrate is not None and not callable(calibrate):
        calibrate = check_samples(calibrate, inputs_of(ann))
    conversion = Conversion(ann, Source.of(path), options, chosen, calibrate, command)
    _ = conversion.calibrated  # what is wrong with samples shows here
    return conversion


def save(network: Network, backend: Backend, folder: Path, force: bool = False) -> Manifest:
    """Writes `network` as an artifact of `backend`; raises `UsageError` where something would be lost."""
    check_target(folder, force)
    with writing(folder, force) as scratch:
        save_graph(network.graph, scratch)
        backend.emit(network, scratch)
        return seal(scratch, manifest_of(network, backend))


def manifest_of(network: Network, backend: Backend) -> Manifest:
    """The manifest of a network, still without files."""
    graph, schedule = network.graph, network.schedule
    return Manifest(
        made_by=f"onnx2snn {__version__}",
        backend=str(backend),
        fidelity=backend.fidelity_of(network),
        model=ModelRecord(file=network.source.file, sha256=network.source.sha256),
        code=network.code,
        arithmetic="integer" if network.integer else "float",
        steps=schedule.steps,
        settle="auto" if schedule.settle is None else schedule.settle,
        settle_bound=settle_bound(graph, schedule.steps),
        calibrate_steps=schedule.calibrate,
        pipeline_steps=backend.pipeline_steps(network),
        reset=reset_of(graph),
        encoder="analog" if network.analog_input else "quantised",
        inputs=network.inputs,
        outputs=network.outputs,
        staircase_passes=network.staircase_passes,
        neuron_passes=network.neuron_passes,
        layers=layer_records(graph, network.certificate),
        approximations=network.certificate.approximations,
        fine_tuning=network.fine_tuning,
        notes=network.notes,
        command=network.command,
        files={},
    )


def reset_of(graph: Graph) -> Reset:
    """What a spike does to the membranes of a network."""
    resets: list[Reset] = [node.op.reset for node in graph.of(LIF) if isinstance(node.op, LIF)]
    return resets[0] if resets else "subtract"


def _leak_of(mapping: Recipe | None, options: Options) -> tuple[float, str]:
    """Decay and reset that the membranes will have."""
    steps = (step for step in mapping or () if isinstance(step, MapNeurons))
    return next(((step.decay, step.reset) for step in steps), options.leak)


def _default_steps(code: str, reference: Graph) -> int:
    return 1 if code == "ladder" else most_levels(reference)


def _check_number(name: str, value: object, low: int, others: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= MOST_STEPS:
        raise UsageError(f"{name}: a whole number from {low} to {MOST_STEPS}{others} expected, found {value!r}")


def _has_negative_counts(reference: Graph) -> bool:
    return any(node.op.lo < 0 for node in reference.of(Staircase) if isinstance(node.op, Staircase))


def _with(recipe: Recipe, step: Pass, before: type[Pass]) -> Recipe:
    """The recipe with one more pass in front of the first of a kind, or at its end."""
    cut = next((i for i, other in enumerate(recipe) if isinstance(other, before)), len(recipe))
    return (*recipe[:cut], step, *recipe[cut:])


def _code_of(recipe: Recipe) -> str:
    return next(step.code for step in recipe if isinstance(step, MapNeurons))


def _steps_of(recipe: Recipe) -> int:
    return next(step.steps for step in recipe if isinstance(step, MapNeurons))


__all__ = ["Calibration", "Conversion", "Options", "convert", "layer_records", "manifest_of", "save"]
