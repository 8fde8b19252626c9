"""From the chip's tables back to the chain they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import (
    Arrays,
    Chain,
    Decoded,
    Geometry,
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
from onnx2snn.ir.ops.spatial import window_output


def decode(folder: Path) -> Decoded:
    """The network that the tables in `folder` tell, in whole numbers of its own grid."""
    tables, arrays = read_tables(folder, TianjicTables)
    drive = load_host(tables.host, arrays, int(np.prod(tables.populations[0].shape)))
    if drive.shift != tables.populations[0].shift:
        raise ArtifactError("the host part has another shift than the first layer")
    populations = [_population(record, arrays, tables.steps, drive.bias) for record in tables.populations]
    chain = Chain(drive.graph, tuple(populations), _output(tables.readout, arrays))
    return Decoded(chain, drive, tables.steps)


def geometry_of(axon: P04 | P41) -> Geometry:
    """Where an axon primitive leads."""
    if isinstance(axon, P04):
        reads = (int(np.prod(axon.source)),)
        return Geometry(kind="dense", source=axon.source, reads=reads, makes=(axon.nof,))
    strides, dilations = (axon.stride_y, axon.stride_x), (axon.dilate_y, axon.dilate_x)
    pads = (axon.pad_top, axon.pad_left, axon.pad_down, axon.pad_right)
    size = window_output((axon.niy, axon.nix), (axon.nky, axon.nkx), strides, pads, dilations)
    return Geometry(
        kind="conv",
        source=axon.source,
        reads=(axon.calls * axon.channels, axon.niy, axon.nix),
        makes=(axon.calls * axon.nof, *size),
        strides=strides,
        pads=pads,
        dilations=dilations,
        groups=axon.calls,
    )


def parts_of(name: str, axon: P04 | P41, arrays: Arrays) -> Array:
    """Weights by copy of the input, int64 (repeats, out, in / groups, *kernel)."""
    groups = chip.padded(axon.nof, chip.OUTPUT_GROUP) // chip.OUTPUT_GROUP
    if isinstance(axon, P04):
        image = arrays.take(f"{name}/weight", (groups, axon.nif, chip.OUTPUT_GROUP))
        return chip.dense_parts(image, axon.repeats, axon.nof, axon.source)
    shape = (axon.calls, groups, axon.nky, axon.nkx, axon.nif, chip.OUTPUT_GROUP)
    return chip.conv_parts(arrays.take(f"{name}/weight", shape), axon.repeats, axon.calls * axon.nof, axon.channels)


def theta_of(record: LayerRecord, arrays: Arrays) -> Array:
    """Thresholds, int64 (neurons,), row-major."""
    neurons = (int(np.prod(record.shape)),)
    return record.soma.vth0 + chip.from_memory(arrays.take(f"{record.name}/vtheta", neurons), record.shape)


def start_of(record: LayerRecord, arrays: Arrays) -> Array:
    """Initial membranes as the chip holds them, int64 (neurons,), row-major."""
    return chip.from_memory(arrays.take(f"{record.name}/v", (int(np.prod(record.shape)),)), record.shape)


def bias_of(record: LayerRecord, arrays: Arrays) -> Array:
    """What the axon adds at every tick, int64 (neurons,), row-major."""
    assert record.axon is not None
    outputs = geometry_of(record.axon).makes[0]
    positions = int(np.prod(record.shape)) // outputs
    return np.repeat(arrays.take(f"{record.name}/bias", (outputs,)), positions)


def _population(record: LayerRecord, arrays: Arrays, steps: int, host_bias: Array) -> Population:
    """The population; initial membrane and bias as they are split in the tables."""
    synapse = None if record.axon is None else _synapse(record, record.axon, arrays)
    bias = host_bias if synapse is None else steps * bias_of(record, arrays)
    theta, start = theta_of(record, arrays), start_of(record, arrays) - 1
    return Population(record.name, record.name, record.shape, synapse, theta, start, bias, record.shift)


def _output(record: LayerRecord, arrays: Arrays) -> Output:
    outputs = int(np.prod(record.shape))
    assert record.axon is not None  # the schema sees to it
    if start_of(record, arrays).any() or bias_of(record, arrays).any():
        raise ArtifactError(f"{record.name}: the readout starts at 0 and has no bias of its own")
    synapse = _synapse(record, record.axon, arrays)
    value, offset = (arrays.take(f"{record.name}/{part}", (outputs,)) for part in ("value", "offset"))
    return Output(record.name, record.name, record.shape, synapse, value, offset)


def _synapse(record: LayerRecord, axon: P04 | P41, arrays: Arrays) -> Synapse:
    weight = parts_of(record.name, axon, arrays).sum(axis=0)
    wrong = int((weight % (1 << record.shift) != 0).sum())
    if wrong:
        raise ArtifactError(f"{record.name}/weight: {wrong} entries are no multiples of {1 << record.shift}")
    return Synapse(axon.synapse, axon.synapse, weight >> record.shift, geometry_of(axon))
