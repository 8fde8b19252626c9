"""One sample run spike by spike: which populations and neurons are shown of it, and what they did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from onnx2snn.artifact import Manifest
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.errors import DataError
from onnx2snn.flow.evaluation.stream import SampleStream
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Neuron
from onnx2snn.reference import Run
from onnx2snn.reporting.behaviour import Behaviour, behaviour
from onnx2snn.reporting.facts import Membrane, Raster, Sample

POPULATIONS = 6  #: shown at most, the first and the last among them
NEURONS = 20  #: shown at most of each population
MEMBRANES = 3
ONE_SIGN = ("if", "lif", "ladder")  #: codes that have no threshold for spikes downwards
PIXELS = 128  #: of a picture's longer side at most; a larger one is shown in every second, third ... pixel


def sample_of(data: Path, index: int, manifest: Manifest, graph: Graph, numbers: Mapping[str, int]) -> Sample:
    """Sample `index` of a data file, run tick by tick (see `behaviour`).  numbers: of the populations, by name."""
    with SampleStream(data, manifest.inputs) as stream:
        if not 0 <= index < len(stream):
            raise DataError(f"{data}: a sample from 0 to {len(stream) - 1} expected, found {index}")
        x, label = stream.read(index, index + 1), None if stream.y is None else int(stream.y[index])
    schedule = manifest.schedule
    quick = NumpySimulator(graph, schedule.steps, schedule.settle).run(x)
    names = [node.name for node in graph.of(Neuron)]
    shown = {name: by_activity(quick.counts[name][0]) for name in spread(names, POPULATIONS)}
    found = behaviour(graph, x, schedule, shown, quick.steps)
    followed = spread([name for name in shown if name in found.membranes], MEMBRANES)
    return Sample(
        index=index,
        label=label,
        answer=_answer(found.run),
        inject_steps=schedule.steps,
        steps=found.run.steps,
        picture=_picture(x[0]),
        rasters=tuple(_raster(numbers[name], graph, name, shown[name], found) for name in shown),
        membranes=tuple(_membrane(numbers[name], graph, name, shown[name], found) for name in followed),
    )


def spread(names: list[str], most: int) -> list[str]:
    """At most so many of the names, evenly spread, the first and the last among them."""
    if len(names) <= most:
        return names
    return [names[round(i * (len(names) - 1) / (most - 1))] for i in range(most)]


def by_activity(counts: Array, most: int = NEURONS) -> Array:
    """Flat indices of neurons from the largest count to the smallest; of equal ones the first comes first.

    Where more neurons fire than are wanted, they are evenly spread from the most active to the least active one.
    """
    activity = np.abs(counts.ravel())
    order = np.argsort(-activity, kind="stable")
    firing = max(most, int((activity > 0).sum()))
    return order[:firing][np.linspace(0, min(firing, len(order)) - 1, min(most, len(order))).round().astype(np.int64)]


def _answer(run: Run) -> int | None:
    classes = [y for y in run.outputs if y.ndim == 2 and y.shape[1] > 1]
    return int(classes[0][0].argmax()) if classes else None


def _raster(number: int, graph: Graph, name: str, shown: Array, found: Behaviour) -> Raster:
    spikes = found.spikes[name]
    ticks, rows = np.nonzero(spikes)
    return Raster(
        layer=number,
        name=name,
        neurons=int(np.prod(graph.shape(name))),
        shown=tuple(shown.tolist()),
        events=tuple((int(t), int(row), int(spikes[t, row])) for t, row in zip(ticks, rows, strict=True)),
    )


def _membrane(number: int, graph: Graph, name: str, shown: Array, found: Behaviour) -> Membrane:
    """Of the neuron that sends most spikes, of either sign; of equal ones the first."""
    shape, op = graph.shape(name), graph[name].op
    assert isinstance(op, Neuron)
    row = int(np.abs(found.spikes[name]).sum(axis=0).argmax())
    index = int(shown[row])
    theta, v0 = (float(np.broadcast_to(values, shape).ravel()[index]) for values in (op.theta, op.v0))
    v, spikes = found.membranes[name][:, row] / theta, found.spikes[name][:, row]
    return Membrane(
        layer=number,
        name=name,
        neuron=index,
        place=tuple(int(i) for i in np.unravel_index(index, shape)),
        threshold=theta,
        start=v0 / theta,
        signed=op.code not in ONE_SIGN,
        peaks=tuple((found.peaks[name][:, row] / theta).tolist()),
        potentials=tuple(v.tolist()),
        spikes=tuple(spikes.tolist()),
    )


def _picture(x: Array) -> tuple[tuple[float | tuple[float, ...], ...], ...] | None:
    """An input (1 or 3, height, width), or (height, width, 1 or 3), as an image."""
    if x.ndim != 3:
        return None
    shaped = x if x.shape[0] in (1, 3) else x.transpose(2, 0, 1)
    channels, height, width = shaped.shape
    if channels not in (1, 3) or min(height, width) < 2:
        return None
    each = -(-max(height, width) // PIXELS)
    pixels = (shaped[0] if channels == 1 else shaped.transpose(1, 2, 0))[::each, ::each]
    return tuple(tuple(p if channels == 1 else tuple(p) for p in row) for row in pixels.astype(float).tolist())
