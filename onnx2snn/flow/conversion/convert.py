"""From a model file to networks and artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from onnx2snn.analysis.certificate import Certificate, certify
from onnx2snn.analysis.widths import is_integer
from onnx2snn.artifact import Manifest, Network, Schedule, Source
from onnx2snn.backends.base import Backend
from onnx2snn.errors import BackendError, UsageError
from onnx2snn.extras import need
from onnx2snn.flow.conversion.budget import Budget
from onnx2snn.flow.conversion.calibration import Calibration
from onnx2snn.flow.conversion.choice import choose
from onnx2snn.flow.conversion.imported import Imported
from onnx2snn.flow.conversion.options import Options, Settle
from onnx2snn.flow.conversion.tuner import Samples, Target, Tuner
from onnx2snn.flow.conversion.weight_cost import weight_cost
from onnx2snn.flow.conversion.write import save
from onnx2snn.flow.data import check_samples, read_samples
from onnx2snn.flow.paths import as_path
from onnx2snn.flow.reading import discretisation, is_spiking, read_model
from onnx2snn.flow.saturation import saturation
from onnx2snn.flow.whole_inputs import unwhole
from onnx2snn.frontends.reading import Reading
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Conv, Dense, Neuron, Staircase
from onnx2snn.passes import (
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
    check_complete,
    check_ends,
    most_levels,
    run_passes,
)
from onnx2snn.passes.base import Observer
from onnx2snn.passes.text import parse_recipe, print_recipe
from onnx2snn.plugins import load_backend
from onnx2snn.reference import Run, inputs_of

if TYPE_CHECKING:
    from onnx2snn.frontends.nir import Discretisation


@dataclass(frozen=True)
class Conversion:
    """A model that has been read, and the options to convert it with; made by `convert`.

    ann: its graph; that of a trained spiking network has neurons already.  reading, own_steps, notes: see `Reading`,
    its settings, steps and notes.
    """

    ann: Graph
    source: Source
    options: Options
    calibration: Calibration = field(default_factory=Calibration)
    samples: Samples | None = None
    command: str = ""
    reading: str = ""
    own_steps: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _ = self.imported  # refuses what a trained spiking network has no use for

    @cached_property
    def imported(self) -> Imported | None:
        """The model as a trained spiking network; None where it is an ANN."""
        if not is_spiking(self.ann):
            return None
        return Imported(
            self.ann,
            self.source,
            self.options,
            self.calibration,
            self.own_steps,
            self.reading,
            self.notes,
            self.command,
        )

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
        return self.imported is None and bool(self.tuner.front(self.tuner.facts))

    @property
    def rounds_weights(self) -> bool:
        """Whether there is a weight to round to the bits asked for."""
        return bool(self.tuner.of_weights if self.imported is None else self.imported.of_weights)

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
        return save(self.lower(chosen), chosen, as_path("folder", folder), force)

    def lower(self, backend: Backend, observer: Observer | None = None) -> Network:
        """The network as `backend` takes it, its design rules checked; first of all, whether its packages are there."""
        need(f"backend {backend.name}", *backend.needs)
        if self.imported is not None:
            return self.imported.lower(backend, observer)
        if not backend.chooses or self.options.code is not None or "map-neurons" in (self.options.passes or ""):
            return self._lowered(backend, self._code(backend), observer)
        chosen = choose(backend, self.options, lambda code: self._lowered(backend, code))
        network = chosen.network if observer is None else self._lowered(backend, chosen.code, observer)
        return replace(network, choice=chosen.why)

    def _lowered(self, backend: Backend, wanted: str, observer: Observer | None = None) -> Network:
        staircases, mapping = self._recipes(backend)
        tuner, corrections = self.tuner, self.calibration.correct
        front, start = tuner.front(tuner.facts), ()
        reference, lost = approximate(self.ann, (*front, *staircases), None if corrections else observer)
        if self.options.passes is not None:
            check_complete(staircases, reference, run_passes(self.ann, front))
        code = wanted if mapping is None else _code_of(mapping)
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
        notes = [*self._unfit(reference), *self._measured((*front, *staircases), reference)]

        def watch(step: object, graph: Graph, reasons: Sequence[str]) -> None:
            notes.extend(reasons)
            if observer is not None:
                observer(step, graph, reasons)  # type: ignore[arg-type]

        graph = run_passes(reference, recipe, watch)
        if self.options.passes is not None:
            check_ends(graph)
        if mapping is not None:
            integer = self._found(backend, is_integer(graph))
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

    def _measured(self, recipe: Recipe, reference: Graph) -> list[str]:
        """What rounded weights cost on the samples of the calibration, where there are both."""
        if self.samples is None or not self.tuner.of_weights:
            return []
        return [str(weight_cost(self.ann, recipe, reference, self.tuner.batches()))]

    def _unfit(self, reference: Graph) -> list[str]:
        """What the input's quantiser cannot hold of the samples of the calibration, or what else is rounded of them."""
        first = next(self.tuner.batches(), None)
        if first is None:
            return []
        found = *saturation(reference, first), *unwhole(reference, self.tuner.batches())
        return [f"calibration samples: {note}" for note in found]

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
            raise UsageError(f"`calibrate_steps`: code if expected, which alone has offsets to calibrate; found {code}")
        if wanted and not backend.calibrates:
            raise BackendError(f"backend {backend.name} cannot calibrate initial membranes; use --backend numpy")
        return wanted

    def _found(self, backend: Backend, integer: bool) -> bool:
        """The arithmetic of a recipe that the user wrote out."""
        found = f"found a recipe {'with' if integer else 'without'} it"
        if self.options.integer not in (None, integer):
            raise UsageError(f"`integer`: beside map-neurons in `passes`, make-integer there decides; {found}")
        _check_arithmetic(backend, integer, f"which make-integer in the recipe decides; {found}")
        return integer

    def _integer(self, backend: Backend, reference: Graph) -> bool:
        wanted = self.options.integer
        if wanted is None:
            kinds = {
                node.op.weight.dtype.kind for node in reference.of(Conv, Dense) if isinstance(node.op, (Conv, Dense))
            }
            return ("integer" in backend.arithmetic) if kinds <= {"i"} else ("float" not in backend.arithmetic)
        _check_arithmetic(backend, wanted, f"--{_arithmetic(wanted)} asked for")
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
    dt: float | None = None,
    integrator: str | None = None,
    command: str = "",
) -> Conversion:
    """Reads a model file, ONNX or NIR, and prepares its conversion to a spiking network.

    model: path of the file.  code, steps, settle, integer, passes, most_levels, calibrate_steps, drop_requantisation,
    decay, reset, bits: see `Options`.
    calibrate: samples (N, *input shape), a data file, or a function that gives batches of them anew at every call, to
    quantise real-valued activations with.  calibration: how; by default 15 levels up to the largest value seen.
    dt, integrator, reset: of a NIR file, see `onnx2snn.frontends.nir.Discretisation`; it takes steps, settle and
    integer as well, and of a calibration weight_bits.
    Raises `UsageError` for options that can never work, `DataError` for samples that do not fit, `ModelError` for a
    file that cannot be taken; later steps raise `PassError` and `BackendError`.
    """
    path = as_path("model", model)
    how = discretisation(path, dt, reset, integrator)
    options = Options(
        code,
        steps,
        settle,
        integer,
        passes,
        most_levels,
        calibrate_steps,
        drop_requantisation,
        decay,
        reset if how is None else None,
        bits,
    )
    chosen = calibration or Calibration()
    if calibrate is None and chosen.needs_samples:
        raise UsageError("calibration: samples to calibrate on expected, found none")
    reading, source = _read(path, how)
    ann = reading.graph
    samples = _samples(calibrate, ann)
    conversion = Conversion(
        ann, source, options, chosen, samples, command, reading.settings, reading.steps, reading.notes
    )
    _ = conversion.calibrated  # what is wrong with samples shows here
    return conversion


def _read(path: Path, how: Discretisation | None) -> tuple[Reading, Source]:
    """The model in a file, and the file's hash: making that takes as long as reading, and no interpreter lock."""
    with ThreadPoolExecutor(1) as beside:
        hashed = beside.submit(Source.of, path)
        return read_model(path, how), hashed.result()


def _samples(given: Samples | Path | None, ann: Graph) -> Samples | None:
    """Samples that fit the model."""
    if isinstance(given, Path):
        return read_samples(given, inputs_of(ann)).x
    return given if given is None or callable(given) else check_samples(given, inputs_of(ann))


def _arithmetic(integer: bool) -> str:
    return "integer" if integer else "float"


def _check_arithmetic(backend: Backend, integer: bool, found: str) -> None:
    if _arithmetic(integer) not in backend.arithmetic:
        raise BackendError(f"backend {backend.name} computes in {backend.arithmetic[0]} only, {found}")


def _leak_of(mapping: Recipe | None, options: Options) -> tuple[float, str]:
    """Decay and reset that the membranes will have."""
    steps = (step for step in mapping or () if isinstance(step, MapNeurons))
    return next(((step.decay, step.reset) for step in steps), options.leak)


def _default_steps(code: str, reference: Graph) -> int:
    return 1 if code == "ladder" else most_levels(reference)


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
