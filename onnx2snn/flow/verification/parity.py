"""What is measured of an artifact beside its model: batch by batch, in numbers that add up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from onnx2snn.errors import DataError
from onnx2snn.flow.evaluation.evaluate import Progress
from onnx2snn.flow.evaluation.partial import Partial, tasks
from onnx2snn.flow.evaluation.stream import SampleStream
from onnx2snn.ir import Array

Outputs = Sequence[Array]


@dataclass
class LayerParity:
    """Counts of one population against the model's.

    alone: differing counts when fed the reference's own counts, evenly spread.  cumulative: in the running network.
    rounding: those of the cumulative ones where float64 sides with the spiking network: float32 near-ties.
    worst, worst_alone: the largest difference in the network, and alone.  alone and worst_alone are None where no
    population was run alone.
    own: of a trained spiking network in whole numbers, those in which what ran it differs from its own definition.
    """

    name: str
    counts: int = 0
    alone: int | None = None
    cumulative: int = 0
    rounding: int = 0
    worst: int = 0
    worst_alone: int | None = None
    own: int = 0

    def take(self, other: LayerParity) -> None:
        """Takes in the same population on other samples."""
        self.counts += other.counts
        self.cumulative += other.cumulative
        self.rounding += other.rounding
        self.own += other.own
        self.worst = max(self.worst, other.worst)
        if other.alone is not None:
            self.alone = (self.alone or 0) + other.alone
        if other.worst_alone is not None:
            self.worst_alone = max(self.worst_alone or 0, other.worst_alone)


@dataclass
class Parity:
    """What was measured on samples.

    argmax_agreement: share of samples with the model's answer; an answer that ties with it counts.
    calibrated: the network is quantised otherwise than the model (calibrated, or approximated by a pass), so counts
    are compared with its own staircases in float64 and only outputs with the model's.
    executor: what ran the model.
    """

    samples: int = 0
    calibrated: bool = False
    argmax_agreement: float | None = None
    accuracy: float | None = None
    model_accuracy: float | None = None
    largest_output_error: float = 0.0
    steps: int = 0
    layers: list[LayerParity] = field(default_factory=list)
    executor: str = ""


@dataclass(frozen=True)
class Batch:
    """What was measured on some samples.

    answers, expected: (samples,) argmax of the first output that is one of classes, and of the model's; else empty.
    agreeing: how many of them agree.  error: largest difference of any output.
    """

    samples: int
    steps: int
    error: float
    answers: Array
    expected: Array
    agreeing: int
    layers: tuple[LayerParity, ...]

    def arrays(self) -> dict[str, Array]:
        """As it is kept on disk."""
        plain = {name: np.asarray(getattr(self, name)) for name in NUMBERS}
        return plain | {f"layer:{layer.name}": _row(layer) for layer in self.layers}

    @classmethod
    def of(cls, arrays: dict[str, Array]) -> Batch:
        """What `arrays` gave; raises `KeyError` or `ValueError` for anything else."""
        rows = [(key.removeprefix("layer:"), row) for key, row in arrays.items() if key.startswith("layer:")]
        layers = tuple(_layer(name, row) for name, row in rows)
        samples, steps, agreeing_ = (int(arrays[name]) for name in ("samples", "steps", "agreeing"))
        return cls(samples, steps, float(arrays["error"]), arrays["answers"], arrays["expected"], agreeing_, layers)


NUMBERS = tuple(entry.name for entry in fields(Batch) if entry.name != "layers")
COUNTS = tuple(entry.name for entry in fields(LayerParity) if entry.name != "name")


def _row(layer: LayerParity) -> Array:
    """Its numbers, -1 for what was not measured."""
    return np.array([-1 if (value := getattr(layer, name)) is None else value for name in COUNTS])


def _layer(name: str, row: Array) -> LayerParity:
    values = (None if value < 0 else int(value) for value in row)
    return LayerParity(name, **dict(zip(COUNTS, values, strict=True)))  # type: ignore[arg-type]


def layer_parity(
    name: str,
    truth: Array,
    found: Array,
    *,
    alone: Array | None = None,
    own: Array | None = None,
    exact: Callable[[], Mapping[str, Array]] | None = None,
) -> LayerParity:
    """A batch of counts against those of the model, `truth`; all in levels, (samples, *features).

    alone: of the population alone.  own: by its own definition.  exact: works out the model's by name in float64.
    """
    wrong = found != truth
    return LayerParity(
        name,
        counts=truth.size,
        alone=None if alone is None else int((alone != truth).sum()),
        cumulative=int(wrong.sum()),
        rounding=int((wrong & (found == exact()[name])).sum()) if exact is not None and wrong.any() else 0,
        worst=int(np.abs(found - truth).max(initial=0)),
        worst_alone=None if alone is None else int(np.abs(alone - truth).max(initial=0)),
        own=0 if own is None else int((found != own).sum()),
    )


def batch_of(found: Outputs, wanted: Outputs, steps: int, layers: Sequence[LayerParity]) -> Batch:
    """Outputs (samples, ...) beside the model's; raises `DataError` where their shapes are not the model's."""
    shapes, expected = ([y.shape for y in outputs] for outputs in (found, wanted))
    if shapes != expected:
        raise DataError(f"outputs {expected} of the model expected, found {shapes}")
    errors = [np.abs(a - b.astype(np.float64)).max(initial=0.0) for a, b in zip(found, wanted, strict=True)]
    classes = next((i for i, y in enumerate(wanted) if y.ndim == 2 and y.shape[1] > 1), None)
    count, error = len(found[0]), float(max(errors))
    if classes is None:
        return Batch(count, steps, error, np.zeros(0, np.int64), np.zeros(0, np.int64), 0, tuple(layers))
    mine, yours = found[classes], wanted[classes]
    answers = mine.argmax(axis=1), yours.argmax(axis=1)
    return Batch(count, steps, error, *answers, _agreeing(mine, yours), tuple(layers))


def _agreeing(found: Array, expected: Array) -> int:
    """Samples whose answer is the model's, or ties with it to float32."""
    chosen = np.take_along_axis(expected, found.argmax(axis=1)[:, None], axis=1)[:, 0]
    most = expected.max(axis=1)
    return int((chosen >= most - 1e-6 * np.maximum(1.0, np.abs(most))).sum())


def measured(
    samples: SampleStream,
    size: int,
    measure: Callable[[Array], Batch],
    partial: Partial | None,
    progress: Progress | None,
) -> list[Batch]:
    """All batches of at most `size` samples, from disk where `partial` has them; removes it when all are done.

    Raises `KeyboardInterrupt` with a word on what is kept where it was interrupted.
    """
    found: list[Batch] = []
    done = 0
    try:
        for task in tasks(len(samples), size, 1):
            kept = None if partial is None else partial.load(task)
            batch = measure(samples.read(task.start, task.stop)) if kept is None else Batch.of(kept)
            if partial is not None and kept is None:
                partial.save(task, batch.arrays())
            found.append(batch)
            done += batch.samples
            if progress is not None:
                progress(done, len(samples))
    except KeyboardInterrupt:
        where = f"; {done} of {len(samples)} samples are kept in {partial.folder}, --resume goes on" if partial else ""
        raise KeyboardInterrupt(f"interrupted{where}") from None
    if not found:
        raise DataError("one sample or more expected, found none")
    if partial is not None:
        partial.remove()
    return found


def parity_of(batches: Sequence[Batch], labels: Array | None, executor: str, calibrated: bool = False) -> Parity:
    """All batches as one; layers in the order of the first."""
    layers: dict[str, LayerParity] = {}
    for batch in batches:
        for layer in batch.layers:
            layers.setdefault(layer.name, LayerParity(layer.name)).take(layer)
    parity = Parity(
        samples=sum(batch.samples for batch in batches),
        calibrated=calibrated,
        largest_output_error=max((batch.error for batch in batches), default=0.0),
        steps=max((batch.steps for batch in batches), default=0),
        layers=list(layers.values()),
        executor=executor,
    )
    answers, expected = (np.concatenate([getattr(b, name) for b in batches]) for name in ("answers", "expected"))
    if len(answers):
        parity.argmax_agreement = sum(batch.agreeing for batch in batches) / parity.samples
        if labels is not None:
            parity.accuracy = float((answers == labels).mean())
            parity.model_accuracy = float((expected == labels).mean())
    return parity
