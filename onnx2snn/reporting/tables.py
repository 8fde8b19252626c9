"""The numbers of a report as files: all of them as JSON, and what is a table as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields

from onnx2snn.artifact import LayerRecord
from onnx2snn.flow.evaluation.curve import Moment
from onnx2snn.metrics import Energy
from onnx2snn.reporting.facts import Difference, Layer, Report, Robustness

Row = Sequence[object]
JSON = "report.json"


def tables(facts: Report) -> dict[str, bytes]:
    """By the name of its file, whatever there is to write."""
    made = {name: _csv(write(facts)) for name, write in TABLES.items()}
    files = {name: content for name, content in made.items() if content.count(b"\n") > 1}
    return {JSON: (facts.model_dump_json(indent=1) + "\n").encode(), **files}


def _certificate(facts: Report) -> Iterable[Row]:
    names = tuple(LayerRecord.model_fields)
    yield names
    for op in facts.certificate:
        counts = "" if op.counts is None else "{} to {}".format(*op.counts)
        yield [counts if name == "counts" else _cell(getattr(op, name)) for name in names]


def _layers(facts: Report) -> Iterable[Row]:
    own = tuple(field for field in Layer.model_fields if field != "difference")
    differences = tuple(field for field in Difference.model_fields if field != "causes")
    yield (*own, *differences)
    for layer in facts.layers:
        found = [_cell(getattr(layer, field)) for field in own]
        yield [*found, *(_cell(getattr(layer.difference, field, None)) for field in differences)]


def _causes(facts: Report) -> Iterable[Row]:
    yield ("layer", "population", "cause", "counts")
    for layer in facts.layers:
        for cause, number in (layer.difference.causes if layer.difference else {}).items():
            yield (layer.number, _cell(layer.name), cause, number)


def _records(kind: type, found: Iterable[object]) -> Iterable[Row]:
    """A row for each of several dataclasses."""
    names = [field.name for field in fields(kind)]
    yield names
    for one in found:
        yield [_cell(getattr(one, name)) for name in names]


def _curve(facts: Report) -> Iterable[Row]:
    return _records(Moment, facts.simulation.curve if facts.simulation else ())


def _energy(facts: Report) -> Iterable[Row]:
    return _records(Energy, (one.estimate for one in facts.simulation.devices) if facts.simulation else ())


def _robustness(facts: Report) -> Iterable[Row]:
    names = tuple(Robustness.model_fields)
    yield names
    for one in facts.simulation.robustness if facts.simulation else ():
        yield [getattr(one, name) for name in names]


def _cores(facts: Report) -> Iterable[Row]:
    if facts.placement is not None:
        yield facts.placement.columns
        yield from ([_cell(value) for value in row] for row in facts.placement.rows)


def _spikes(facts: Report) -> Iterable[Row]:
    yield ("layer", "population", "neuron", "timestep", "spikes")
    for raster in facts.sample.rasters if facts.sample else ():
        for tick, row, spikes in raster.events:
            yield (raster.layer, _cell(raster.name), raster.shown[row], tick + 1, spikes)


def _membranes(facts: Report) -> Iterable[Row]:
    yield ("layer", "population", "neuron", "timestep", "peak", "potential", "spikes")
    for one in facts.sample.membranes if facts.sample else ():
        ticks = zip(one.peaks, one.potentials, one.spikes, strict=True)
        for tick, (peak, potential, spikes) in enumerate(ticks, 1):
            yield (one.layer, _cell(one.name), one.neuron, tick, peak, potential, spikes)


TABLES: dict[str, Callable[[Report], Iterable[Row]]] = {
    "certificate.csv": _certificate,
    "layers.csv": _layers,
    "causes.csv": _causes,
    "curve.csv": _curve,
    "energy.csv": _energy,
    "robustness.csv": _robustness,
    "cores.csv": _cores,
    "spikes.csv": _spikes,
    "membranes.csv": _membranes,
}


def _cell(value: object) -> object:
    """Lists as 1x28x28; text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _csv(rows: Iterable[Row]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
