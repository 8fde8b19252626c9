"""From the chip's tables back to the chain they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import (
    Arrays,
    Chain,
    Decoded,
    Output,
    Population,
    Synapse,
    load_host,
    read_tables,
)
from onnx2snn.backends.tianjic import chip
from onnx2snn.backends.tianjic.schema import P04, P41, LayerRecord, TianjicTables
from onnx2snn.errors import ArtifactError
from onnx2snn.ir import Array


def decode(folder: Path) -> Decoded:
    """The network that the tables in `folder` tell, in whole numbers of its own grid."""
    tables, arrays = read_tables(folder, TianjicTables)
    drive = load_host(tables.host, arrays, tables.populations[0].size)
    if drive.shift != tables.populations[0].shift:
        raise ArtifactError("the host part has another shift than the first layer")
    populations = [_population(record, arrays, tables.steps, drive.bias) for record in tables.populations]
    chain = Chain(drive.graph, tuple(populations), _output(tables.readout, arrays))
    return Decoded(chain, drive, tables.steps)


def parts_of(name: str, axon: P04 | P41, arrays: Arrays) -> Array:
    """Weights by copy of the input, int64 (repeats, out, in / groups, *kernel)."""
    image = arrays.take(f"{name}/weight", axon.image_shape)
    if isinstance(axon, P04):
        return chip.dense_parts(image, axon.repeats, axon.nof, axon.source)
    return chip.conv_parts(image, axon.repeats, axon.calls * axon.nof, axon.channels)


def theta_of(record: LayerRecord, arrays: Arrays) -> Array:
    """Thresholds, int64 (neurons,), row-major."""
    neurons = (record.size,)
    return record.soma.vth0 + chip.from_memory(arrays.take(f"{record.name}/vtheta", neurons), record.shape)


def start_of(record: LayerRecord, arrays: Arrays) -> Array:
    """Initial membranes as the chip holds them, int64 (neurons,), row-major."""
    return chip.from_memory(arrays.take(f"{record.name}/v", (record.size,)), record.shape)


def bias_of(record: LayerRecord, arrays: Arrays) -> Array:
    """What the axon adds at every tick, int64 (neurons,), row-major."""
    assert record.axon is not None
    outputs = record.axon.geometry.makes[0]
    positions = record.size // outputs
    return np.repeat(arrays.take(f"{record.name}/bias", (outputs,)), positions)


def _population(record: LayerRecord, arrays: Arrays, steps: int, host_bias: Array) -> Population:
    """The population; initial membrane and bias as they are split in the tables."""
    synapse = None if record.axon is None else _synapse(record, record.axon, arrays)
    bias = host_bias if synapse is None else steps * bias_of(record, arrays)
    theta, start = theta_of(record, arrays), start_of(record, arrays) - 1
    return Population(record.name, record.name, record.shape, synapse, theta, start, bias, record.shift)


def _output(record: LayerRecord, arrays: Arrays) -> Output:
    outputs = record.size
    assert record.axon is not None  # the schema sees to it
    if start_of(record, arrays).any() or bias_of(record, arrays).any():
        raise ArtifactError(f"{record.name}: the readout starts at 0 and has no bias of its own")
    synapse = _synapse(record, record.axon, arrays)
    value, offset = (arrays.take(f"{record.name}/{part}", (outputs,)) for part in ("value", "offset"))
    return Output(record.name, record.name, record.shape, synapse, value, offset, np.zeros(outputs, np.int64))


def _synapse(record: LayerRecord, axon: P04 | P41, arrays: Arrays) -> Synapse:
    weight = parts_of(record.name, axon, arrays).sum(axis=0)
    wrong = int((weight % (1 << record.shift) != 0).sum())
    if wrong:
        raise ArtifactError(f"{record.name}/weight: {wrong} entries are no multiples of {1 << record.shift}")
    return Synapse(axon.synapse, axon.synapse, weight >> record.shift, axon.geometry)
