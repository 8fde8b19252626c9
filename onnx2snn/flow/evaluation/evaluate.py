"""All batches of an evaluation: shared by processes, kept on disk, interrupted and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from onnx2snn.errors import GraphError
from onnx2snn.flow.evaluation.partial import Partial, Task
from onnx2snn.flow.evaluation.processes import Processes
from onnx2snn.flow.evaluation.stream import SampleStream
from onnx2snn.flow.evaluation.trial import Part, Trial
from onnx2snn.metrics import merged

Progress = Callable[[int, int], None]  #: samples done, samples in all


def evaluate(
    trial: Trial,
    stream: SampleStream,
    todo: list[Task],
    partial: Partial | None,
    processes: Processes,
    progress: Progress | None,
) -> Part:
    """What came of all batches, in every process; outputs are those of the first repeat.

    Each process takes consecutive batches, as many as the others or one more. Raises `KeyboardInterrupt` with a word on
    what is kept where it was interrupted.
    """
    mine = todo[processes.rank * len(todo) // processes.count : (processes.rank + 1) * len(todo) // processes.count]
    samples = sum(task.stop - task.start for task in mine)
    total, done = Part((), 0, {}, {}), 0
    outputs: list[tuple[np.ndarray, ...]] = []
    try:
        for task in mine:
            part = _done(trial, stream, task, partial)
            outputs += [part.outputs] if part.outputs else []
            total = _sum([total, part])
            done += task.stop - task.start
            if progress is not None:
                progress(done, samples)
    except KeyboardInterrupt:
        kept = f"; {done} of {samples} samples are kept in {partial.folder}, --resume goes on" if partial else ""
        raise KeyboardInterrupt(f"interrupted{kept}") from None
    parts = processes.gathered((total, outputs))
    pieces = [piece for _, found in parts for piece in found]
    if not pieces:
        raise GraphError("one sample or more expected, found none")
    whole = tuple(np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    return replace(_sum(part for part, _ in parts), outputs=whole)


def _done(trial: Trial, stream: SampleStream, task: Task, partial: Partial | None) -> Part:
    """The result of a batch, from disk or anew."""
    kept = None if partial is None else partial.load(task)
    part = None if kept is None else Part.of(kept)
    if part is None:
        y = None if stream.y is None else stream.y[task.start : task.stop]
        part = trial.run(stream.read(task.start, task.stop), y, task.start, task.repeat)
        part = part if task.repeat == 0 else replace(part, outputs=())
        if partial is not None:
            partial.save(task, part.arrays())
    return part


def _sum(parts: Iterable[Part]) -> Part:
    """Counters added up, without outputs."""
    found = list(parts)
    return Part(
        (),
        max(part.steps for part in found),
        merged(part.fired for part in found),
        merged(part.counters for part in found),
    )
