"""Reads Loihi tables as an outsider would: `tables.json` and `tables.safetensors`, by their documented fields alone.

Needs numpy, scipy and safetensors, nothing of onnx2snn: the checks beside it run where onnx2snn is not installed.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from scipy.sparse import coo_matrix, csr_matrix

Array = np.ndarray[Any, np.dtype[Any]]
Row = dict[str, Any]
DIFFER = ("spikes_that_differ", "membranes_that_differ", "uses_that_differ")
COUNTS = ("samples", "spikes", "compared", "membranes_compared", "cores", *DIFFER)


@dataclass(frozen=True)
class Resets:
    """Synapses from each neuron back to itself: inhibitory mantissas (neurons,), times 2^exponent."""

    exponent: int
    mantissas: Array


@dataclass(frozen=True)
class Layer:
    """One layer in chip units; the last one is the readout.

    weights: mantissas, csr_matrix (neurons, sources) with a zero where the synapse has a connection of weight zero;
    None where the host drives the layer.  bias: mantissas.
    """

    name: str
    first_tick: int
    size: int
    decay_u: int
    decay_v: int
    threshold: int
    resets: tuple[Resets, ...]
    bias: Array
    bias_exponent: int
    membrane: Array
    weights: Any
    weight_exponent: int


@dataclass(frozen=True)
class Tables:
    """All layers.  steps: ticks that each of them runs.  ticks: of the whole run."""

    steps: int
    ticks: int
    layers: tuple[Layer, ...]


def read(folder: Path) -> Tables:
    """The tables in a folder."""
    tables, arrays = json.loads((folder / "tables.json").read_text()), load_file(folder / "tables.safetensors")
    records = [*tables["populations"], tables["readout"]]
    return Tables(tables["steps"], tables["ticks"], tuple(_layer(record, arrays) for record in records))


def _layer(record: dict[str, Any], arrays: dict[str, Array]) -> Layer:
    name, size, synapse = record["name"], int(np.prod(record["shape"])), record["synapse"]
    nothing = np.zeros(size, np.int64)
    exponents = record.get("reset_exponents", ())
    resets = arrays.get(f"{name}/reset", np.zeros((0, size)))
    return Layer(
        name=name,
        first_tick=record["first_tick"],
        size=size,
        decay_u=record["decay_u"],
        decay_v=record["decay_v"],
        threshold=record["threshold"],
        resets=tuple(Resets(e, m.astype(np.int64)) for e, m in zip(exponents, resets, strict=True)),
        bias=arrays.get(f"{name}/bias", nothing).astype(np.int64),
        bias_exponent=record.get("bias_exponent", 0),
        membrane=arrays.get(f"{name}/membrane", nothing).astype(np.int64),
        weights=None if synapse is None else matrix(synapse["geometry"], arrays[f"{name}/weight"].astype(np.int64)),
        weight_exponent=0 if synapse is None else synapse["weight_exponent"],
    )


def matrix(geometry: dict[str, Any], weight: Array) -> Any:
    """The weights (out, in / groups, *kernel) of a synapse, one row a target and one column a source neuron."""
    reads, makes, groups = geometry["reads"], geometry["makes"], geometry["groups"]
    shape = int(np.prod(makes)), int(np.prod(reads))
    if geometry["kind"] == "dense":
        target, source = np.indices(shape).reshape(2, -1)
        return csr_matrix(coo_matrix((weight.reshape(-1), (target, source)), shape=shape))
    places: list[Array] = list(np.indices(makes[1:]).reshape(len(makes) - 1, -1))
    targets, sources, values = list[Array](), list[Array](), list[Array]()
    out, inside = len(weight) // groups, weight.shape[1]
    for tap in product(*map(range, weight.shape[2:])):
        at: list[Array] = [
            place * stride + dilation * t - pad
            for place, stride, dilation, t, pad in zip(
                places, geometry["strides"], geometry["dilations"], tap, geometry["pads"], strict=False
            )
        ]
        valid = np.all([(a >= 0) & (a < extent) for a, extent in zip(at, reads[1:], strict=True)], axis=0)
        to = np.ravel_multi_index([p[valid] for p in places], makes[1:])
        origin = np.ravel_multi_index([a[valid] for a in at], reads[1:])
        for o, i in product(range(len(weight)), range(inside)):
            channel = o // out * inside + i
            targets.append(o * int(np.prod(makes[1:])) + to)
            sources.append(channel * int(np.prod(reads[1:])) + origin)
            values.append(np.full(len(to), weight[(o, i, *tap)]))
    return csr_matrix(
        coo_matrix((np.concatenate(values), (np.concatenate(targets), np.concatenate(sources))), shape=shape)
    )


@dataclass(frozen=True)
class Expected:
    """What onnx2snn's emulator did with some samples.

    bias, membrane: what the host writes into the first layer, the membrane on top of its own, (samples, neurons).
    spikes, membranes: of each layer, (steps, samples, neurons); membranes in register units, after the tick's
    comparison and, where the reset is a synapse, before it arrives.
    """

    bias: Array
    membrane: Array
    spikes: tuple[Array, ...]
    membranes: tuple[Array, ...]

    @property
    def samples(self) -> int:
        return len(self.bias)

    def start(self, layer: Layer, sample: int) -> tuple[Array, Array]:
        """Membrane (register units) and bias mantissas with which a layer starts."""
        if layer.weights is not None:
            return layer.membrane << 6, layer.bias
        return (layer.membrane + self.membrane[sample]) << 6, self.bias[sample]


def expected(folder: Path) -> Expected:
    """What `loihi_expected.py` wrote beside the tables."""
    with np.load(folder / "expected.npz") as data:
        layers = range(sum(name.startswith("membranes") for name in data))
        return Expected(
            data["bias"],
            data["membrane"],
            tuple(data[f"spikes{i}"] for i in layers),
            tuple(data[f"membranes{i}"] for i in layers),
        )


def networks(folder: Path) -> Iterator[Path]:
    """The folders with tables and expected spikes, in order."""
    yield from sorted(path.parent for path in folder.glob("*/expected.npz"))


def report(folder: Path, check: Callable[[Path, Tables], Row], about: Row, result: Path) -> int:
    """Runs a check on every network and adds what it found to a file of results; returns the number of differences.

    The first network runs again with thresholds one higher, to show that the check can fail.
    """
    places = list(networks(folder))
    if not places:
        raise SystemExit(f"{folder}: no network with expected.npz in it; see loihi_expected.py")
    spoiled = check(places[0], _spoiled(read(places[0])))["spikes_that_differ"]
    if not spoiled:
        raise SystemExit("thresholds one higher change nothing: this check cannot fail")
    rows = list[Row]()
    for place in places:
        rows.append({"network": place.name, **check(place, read(place))})
        print(json.dumps(rows[-1]), flush=True)
    about |= {"spikes_that_differ_with_thresholds_one_higher": {places[0].name: spoiled}}
    _keep(result, about, rows)
    return sum(row.get(key, 0) for row in rows for key in DIFFER)


def _keep(result: Path, about: Row, rows: list[Row]) -> None:
    """Puts the rows of one emulator into the file, in place of those of the same networks; one row a line."""
    results = json.loads(result.read_text()) if result.is_file() else {}
    before = results.get(about["emulator"], {"rows": []})["rows"]
    merged = {row["network"]: row for row in [*before, *rows]}
    kept = [merged[name] for name in sorted(merged)]
    totals = {"networks": len(kept)} | {key: sum(row[key] for row in kept) for key in COUNTS if key in kept[0]}
    results[about["emulator"]] = about | {"totals": totals, "rows": kept}
    text = json.dumps(results, indent=1)
    for row in (row for entry in results.values() for row in entry["rows"]):
        text = text.replace(textwrap.indent(json.dumps(row, indent=1), "   ").lstrip(), json.dumps(row))
    result.write_text(text + "\n")
    print(json.dumps(totals))


def _spoiled(tables: Tables) -> Tables:
    layers = [replace(layer, threshold=min(layer.threshold + 1, 131071)) for layer in tables.layers]
    return replace(tables, layers=tuple(layers))
