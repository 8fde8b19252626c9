"""The numbers of a report as files: all of them as JSON, and what is a table as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from onnx2snn.reporting.facts import Difference, Layer, Op, Report

Row = Sequence[object]
JSON = "report.json"


def tables(facts: Report) -> dict[str, bytes]:
    """By the name of its file, whatever there is to write."""
    made = {name: _csv(write(facts)) for name, write in TABLES.items()}
    files = {name: content for name, content in made.items() if content.count(b"\n") > 1}
    return {JSON: (facts.model_dump_json(indent=1) + "\n").encode(), **files}


def _certificate(facts: Report) -> Iterable[Row]:
    fields = tuple(Op.model_fields)
    yield fields
    for op in facts.certificate:
        yield [_cell(getattr(op, field)) for field in fields]


def _layers(facts: Report) -> Iterable[Row]:
    fields = tuple(field for field in Layer.model_fields if field != "difference")
    differences = tuple(Difference.model_fields)
    yield (*fields, *differences)
    for layer in facts.layers:
        found = [_cell(getattr(layer, field)) for field in fields]
        yield [*found, *(_cell(getattr(layer.difference, field, None)) for field in differences)]


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
    "spikes.csv": _spikes,
    "membranes.csv": _membranes,
}


def _cell(value: object) -> object:
    """Shapes as 1x28x28; text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _csv(rows: Iterable[Row]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
