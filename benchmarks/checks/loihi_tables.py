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
from typing import Any, Literal

import numpy as np
from safetensors.numpy import load_file
from scipy.sparse import coo_matrix, csr_matrix, kron

Array = np.ndarray[Any, np.dtype[Any]]
Row = dict[str, Any]
DIFFER = ("spikes_that_differ", "membranes_that_differ", "uses_that_differ")
SPOILED = "spikes_that_differ_with_higher_thresholds"
COUNTS = ("samples", "spikes", "compared", "membranes_compared", "cores", *DIFFER)


@dataclass(frozen=True)
class Resets:
    """Synapses from each neuron back to itself: inhibitory mantissas (neurons,), times 2^exponent."""

    exponent: int
    mantissas: Array


@dataclass(frozen=True)
class Layer:
    """One layer of compartments in chip units; the last one is the readout.

    size: compartments that integrate. In code `ladder` a neuron has `units` of them, side by side, and so has an output
    that is shared out; else one: a soma, where there are resets, is not counted, but its bias is there, in units of the
    register.  bias: mantissas.  Without resets a spike sets the membrane to 0.
    floor_bits: membranes stop at 1 - 2^floor_bits.
    weights: mantissas, csr_matrix (compartments, sources) with a zero where the synapse has a connection of weight
    zero; None where the host drives the layer.
    """

    name: str
    first_tick: int
    size: int
    units: int
    decay_u: int
    decay_v: int
    threshold: int
    resets: tuple[Resets, ...]
    soma_bias: int
    bias: Array
    bias_exponent: int
    membrane: Array
    floor_bits: int
    weights: Any
    weight_exponent: int


@dataclass(frozen=True)
class Tables:
    """All layers.  steps: ticks that each of them runs for a sample.  ticks: that a sample takes from end to end.

    host_units: code `ladder` alone, units of each neuron of the population on the host, whose spikes are the input.
    """

    code: Literal["if", "ladder", "lif"]
    steps: int
    ticks: int
    host_units: int
    layers: tuple[Layer, ...]


def read(folder: Path) -> Tables:
    """The tables in a folder."""
    tables, arrays = json.loads((folder / "tables.json").read_text()), load_file(folder / "tables.safetensors")
    layers = tuple(_layer(record, arrays) for record in [*tables["populations"], tables["readout"]])
    ladder = tables["format"] == "onnx2snn loihi ladder tables"
    leaky = any(layer.decay_u < 4096 or layer.decay_v > 0 or not layer.resets for layer in layers[:-1])
    code = "ladder" if ladder else "lif" if leaky else "if"
    return Tables(code, tables.get("steps", 1), tables["ticks"], tables["host"].get("units", 0), layers)


def _layer(record: dict[str, Any], arrays: dict[str, Array]) -> Layer:
    name, parts, synapse = record["name"], record.get("parts", 1), record["synapse"]
    units = record.get("units", parts)
    size = units * int(np.prod(record["shape"]))
    nothing = np.zeros(size, np.int64)
    exponents = record.get("reset_exponents", ())
    resets = arrays.get(f"{name}/reset", np.zeros((0, size)))
    weights = None
    if synapse is not None:
        between = matrix(synapse["geometry"], arrays[f"{name}/weight"].astype(np.int64))
        weights = _every_unit(between, units, record.get("arriving", 1), parts)
    return Layer(
        name=name,
        first_tick=record["first_tick"],
        size=size,
        units=units,
        decay_u=record["decay_u"],
        decay_v=record["decay_v"],
        threshold=record["threshold"],
        soma_bias=record.get("soma_bias", 0),
        resets=tuple(Resets(e, m.astype(np.int64)) for e, m in zip(exponents, resets, strict=True)),
        bias=arrays.get(f"{name}/bias", nothing).astype(np.int64).T.reshape(-1),  # (units, neurons) in code ladder
        bias_exponent=record.get("bias_exponent", 0),
        membrane=arrays.get(f"{name}/membrane", nothing).astype(np.int64),
        floor_bits=record.get("floor_bits", 23),
        weights=weights,
        weight_exponent=0 if synapse is None else synapse["weight_exponent"],
    )


def _every_unit(weights: Any, targets: int, sources: int, parts: int) -> Any:
    """Weights between neurons as those between units; with parts, source i of n reaches unit i parts / n alone."""
    every = coo_matrix(kron(weights, np.ones((targets, sources), np.int64)))
    kept = (every.row % targets == every.col // sources * parts // weights.shape[1]) | (parts == 1)
    return csr_matrix((every.data[kept], (every.row[kept], every.col[kept])), shape=every.shape)


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
    """What onnx2snn's emulator did with some samples in code `if` or `lif`.

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

    def start(self, layer: Layer, sample: int) -> tuple[Array, Array, Array]:
        """Membrane and synaptic current (register units) and bias mantissas with which a layer starts."""
        membrane, bias = layer.membrane, layer.bias
        if layer.weights is None:
            membrane, bias = membrane + self.membrane[sample], self.bias[sample]
        current = -bias << layer.bias_exponent if layer.decay_u < 4096 else np.zeros_like(bias)
        return membrane << 6, current, bias


@dataclass(frozen=True)
class ExpectedLadder:
    """What onnx2snn's emulator did with some samples in code `ladder`, one a tick.

    arriving: units that pass on the host, (samples, neurons).  counts: units that spike, of each layer on the chip but
    the readout, (samples, neurons).  sums: of the readout, (samples, outputs).
    """

    arriving: Array
    counts: tuple[Array, ...]
    sums: Array

    @property
    def samples(self) -> int:
        return len(self.arriving)

    def spikes(self, units: int) -> Array:
        """The host's spikes, bool (samples, neurons * units)."""
        return (np.arange(units) < self.arriving[..., None]).reshape(self.samples, -1)

    def differences(self, tables: Tables, spikes: list[Array], currents: Array) -> Row:
        """Compares spikes (samples, compartments) of each layer but the readout and currents (samples, outputs)."""
        found = [
            fired.reshape(self.samples, -1, layer.units).sum(axis=2)
            for layer, fired in zip(tables.layers[:-1], spikes, strict=True)
        ]
        return {
            "spikes": sum(int(counts.sum()) for counts in found),
            "compared": sum(fired.size for fired in spikes),
            "spikes_that_differ": sum(int(np.abs(f - c).sum()) for f, c in zip(found, self.counts, strict=True)),
            "membranes_compared": self.sums.size,
            "membranes_that_differ": int((_outputs(tables, currents) != self.sums << 6).sum()),
        }


def _outputs(tables: Tables, currents: Array) -> Array:
    """Currents of outputs that are shared out over compartments, added up."""
    return currents.reshape(len(currents), -1, tables.layers[-1].units).sum(axis=2)


def expected(folder: Path) -> Expected | ExpectedLadder:
    """What `loihi_expected.py` wrote beside the tables."""
    with np.load(folder / "expected.npz") as data:
        if "arriving" in data:
            counts = range(sum(name.startswith("counts") for name in data))
            return ExpectedLadder(data["arriving"], tuple(data[f"counts{i}"] for i in counts), data["sums"])
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

    The first network runs again with thresholds a step of its weights higher, to show that the check can fail.
    """
    places = list(networks(folder))
    if not places:
        raise SystemExit(f"{folder}: no network with expected.npz in it; see loihi_expected.py")
    spoiled = check(places[0], _spoiled(read(places[0])))["spikes_that_differ"]
    if not spoiled:
        raise SystemExit("higher thresholds change nothing: this check cannot fail")
    rows = list[Row]()
    for place in places:
        rows.append({"network": place.name, **check(place, read(place))})
        print(json.dumps(rows[-1]), flush=True)
    about |= {SPOILED: {places[0].name: spoiled}}
    _keep(result, about, rows)
    return sum(row.get(key, 0) for row in rows for key in DIFFER)


def _keep(result: Path, about: Row, rows: list[Row]) -> None:
    """Puts the rows of one emulator into the file, in place of those of the same networks; one row a line."""
    results = json.loads(result.read_text()) if result.is_file() else {}
    before = results.get(about["emulator"], {"rows": [], SPOILED: {}})
    merged = {row["network"]: row for row in [*before["rows"], *rows]}
    kept = [merged[name] for name in sorted(merged)]
    totals = {code: _totals([row for row in kept if row["code"] == code]) for code in ("if", "ladder", "lif")}
    about |= {SPOILED: before[SPOILED] | about[SPOILED], "totals": totals}
    results[about["emulator"]] = about | {"rows": kept}
    text = json.dumps(results, indent=1)
    for row in (row for entry in results.values() for row in entry["rows"]):
        text = text.replace(textwrap.indent(json.dumps(row, indent=1), "   ").lstrip(), json.dumps(row))
    result.write_text(text + "\n")
    print(json.dumps(totals))


def _totals(rows: list[Row]) -> Row:
    return {"networks": len(rows)} | {key: sum(row[key] for row in rows) for key in COUNTS if rows and key in rows[0]}


def _spoiled(tables: Tables) -> Tables:
    layers = [replace(layer, threshold=layer.threshold + (2 << layer.weight_exponent)) for layer in tables.layers[:-1]]
    return replace(tables, layers=(*layers, tables.layers[-1]))
