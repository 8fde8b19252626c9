"""A partition in a few lines for people."""

from __future__ import annotations

from typing import Any

from onnx2snn.backends.base import Footprint
from onnx2snn.backends.chains.partition import UNBOUND, Cores


def footprint_of(record: Cores) -> Footprint:
    """Cores layer by layer, chips, the fullest core and what binds."""
    rows = tuple(
        (layer.name, "x".join(map(str, layer.shape)), layer.cores, _box(layer.box, layer.parts), str(layer.fullest))
        for layer in record.layers
    )
    full = record.fullest
    host = (f"on the host, which sends its spikes, and on no core: {', '.join(record.host)}",) if record.host else ()
    sentences = (
        f"{in_words(record)}, {record.cores_of_a_chip} cores each",
        *host,
        f"fullest: core {full.core} of {full.layer}, {full}",
        record.binding if record.binding == UNBOUND else f"what binds: {record.binding}",
        *(f"assumed: {assumption}" for assumption in record.assumptions),
    )
    columns = ("layer", "sums", "cores", "neurons of a core", "fullest core")
    return Footprint(f"cores of {record.chip}", columns, rows, sentences, _data(record))


def in_words(record: Cores) -> str:
    """How many cores on how many chips."""
    return f"{_many(record.cores, 'core')} on {_many(record.chips, 'chip')} of {record.chip}"


def _box(box: tuple[int, ...], parts: int) -> str:
    text = "x".join(map(str, box))
    return text if parts == 1 else f"{text}, inputs on {parts} cores"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _data(record: Cores) -> dict[str, Any]:
    """The record without the use of every core, which the file has."""
    return record.model_dump(mode="json", exclude={"layers": {"__all__": {"use"}}})
