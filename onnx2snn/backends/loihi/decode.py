"""From the chip's tables back to the chain they stand for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import Arrays, Chain, Decoded, Leak, Output, Population, Synapse, load_host, read_tables
from onnx2snn.backends.chains.layers import WHOLE
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.leaks import thresholds
from onnx2snn.backends.loihi.schema import LoihiTables, PopulationRecord, ReadoutRecord, SynapseRecord
from onnx2snn.errors import ArtifactError
from onnx2snn.ir import Array


def decode(folder: Path) -> Decoded:
    """The network that the tables in `folder` tell, in whole numbers of its own grid."""
    tables, arrays = read_tables(folder, LoihiTables)
    first = tables.populations[0]
    drive = load_host(tables.host, arrays, first.size)
    populations = [_population(record, arrays, tables.steps, tables.chip) for record in tables.populations]
    populations[0] = _driven(populations[0], drive.bias, drive.shift)
    chain = Chain(drive.graph, tuple(populations), _output(tables.readout, arrays))
    return Decoded(chain, drive, tables.steps)


def weight_of(layer: str, record: SynapseRecord, arrays: Arrays) -> Array:
    """Weights of a layer in chip units, int64 (out, in / groups, *kernel)."""
    mantissas = arrays.take(f"{layer}/weight", record.weight_shape)
    if (mantissas % 2).any() or (mantissas < chip.WEIGHT_LOW).any() or (mantissas > chip.WEIGHT_HIGH).any():
        raise ArtifactError(f"{layer}/weight: even numbers from {chip.WEIGHT_LOW} to {chip.WEIGHT_HIGH} expected")
    return mantissas << record.weight_exponent


def reset_of(record: PopulationRecord, arrays: Arrays) -> Array:
    """What a spike takes off, int64 (neurons,) in chip units."""
    mantissas = arrays.take(f"{record.name}/reset", (len(record.reset_exponents), record.size))
    return (mantissas << np.array(record.reset_exponents)[:, None]).sum(axis=0)


def leak_of(record: PopulationRecord) -> Leak | None:
    """What its neurons do otherwise than integrate-and-fire ones with soft reset."""
    soft = record.reset != "zero"
    if soft and not record.leaks:
        return None
    return Leak(WHOLE - record.decay_v, WHOLE - record.decay_u, "subtract" if soft else "zero")


def _thresholds(record: PopulationRecord, arrays: Arrays, version: chip.Chip) -> Array:
    """Of every neuron, int64 (neurons,) in chip units."""
    if record.reset == "zero":
        return np.full(record.size, record.threshold + 1, np.int64)
    found = thresholds(reset_of(record, arrays), leak_of(record), version)
    if record.threshold != found.max() - 1:
        raise ArtifactError(f"{record.name}: threshold {record.threshold} is not one below the largest reset")
    return found


def _population(record: PopulationRecord, arrays: Arrays, steps: int, version: chip.Chip) -> Population:
    """The population in chip units; initial membrane and bias as they are split in the tables."""
    neurons = record.size
    reset = _thresholds(record, arrays, version)
    theta = divided(reset, record.scale, f"{record.name}/reset")
    membrane = arrays.take(f"{record.name}/membrane", (neurons,)) - (record.threshold + 1 - reset)
    start = divided(membrane, record.scale, f"{record.name}/membrane")
    bias = np.zeros_like(start)
    if record.synapse is not None:
        bias = steps * divided(arrays.take(f"{record.name}/bias", (neurons,)), record.scale, f"{record.name}/bias")
    synapse = None if record.synapse is None else _synapse(record, record.synapse, arrays)
    return Population(
        record.name, record.name, record.shape, synapse, theta, start, bias, record.shift, leak_of(record)
    )


def _driven(first: Population, bias: Array, shift: int) -> Population:
    if shift != first.shift:
        raise ArtifactError(f"{first.name}: shift {first.shift} expected in the host part, found {shift}")
    return replace(first, bias=bias)


def _output(record: ReadoutRecord, arrays: Arrays) -> Output:
    outputs = record.size
    value, offset = (arrays.take(f"{record.name}/{part}", (outputs,)) for part in ("value", "offset"))
    assert record.synapse is not None  # the schema sees to it
    synapse = _synapse(record, record.synapse, arrays)
    return Output(
        record.name, record.name, record.shape, synapse, value * record.scale, offset, np.zeros(outputs, np.int64)
    )


def _synapse(layer: PopulationRecord | ReadoutRecord, record: SynapseRecord, arrays: Arrays) -> Synapse:
    units = layer.scale << layer.shift
    weight = divided(weight_of(layer.name, record, arrays), units, f"{layer.name}/weight")
    return Synapse(record.name, record.name, weight, record.geometry)


def divided(values: Array, units: int, name: str) -> Array:
    """Chip units back on the network's grid."""
    if (values % units).any():
        raise ArtifactError(f"{name}: {int((values % units != 0).sum())} entries are no multiples of {units}")
    return values // units
