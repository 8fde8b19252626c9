"""From the chip's tables back to the chain that they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import (
    Arrays,
    DecodedLadder,
    LayerRule,
    Output,
    Synapse,
    UnitPopulation,
    broken,
    load_chain,
    read_tables,
)
from onnx2snn.backends.tianjic import chip
from onnx2snn.backends.tianjic.decode import parts_of
from onnx2snn.backends.tianjic.ladder.schema import LadderRecord, TianjicLadderTables
from onnx2snn.ir import Array


def decode_ladder(folder: Path, limits: tuple[LayerRule, ...]) -> DecodedLadder:
    """The network that the tables in `folder` tell; its worst cases are held against `limits`."""
    tables, arrays = read_tables(folder, TianjicLadderTables)
    populations = [_population(record, arrays) for record in tables.populations]
    chain = load_chain(tables.host, arrays, populations, _output(tables.readout, arrays))
    return DecodedLadder(chain, tuple(map(str, broken(limits, chain.layers, 1))))


def thresholds_of(record: LadderRecord, arrays: Arrays) -> Array:
    """What V must exceed, int64 (units, neurons), row-major."""
    rows = arrays.take(f"{record.name}/vtheta", (record.soma.calls, record.size))
    return np.stack([record.soma.vth0 + chip.from_memory(row, record.shape) for row in rows])


def _population(record: LadderRecord, arrays: Arrays) -> UnitPopulation:
    breakpoints = thresholds_of(record, arrays) + 1
    return UnitPopulation(record.name, record.name, record.shape, _synapse(record, arrays), breakpoints, record.lo)


def _output(record: LadderRecord, arrays: Arrays) -> Output:
    outputs = (record.size,)
    value, constant, offset = (arrays.take(f"{record.name}/{p}", outputs) for p in ("value", "constant", "offset"))
    return Output(record.name, record.name, record.shape, _synapse(record, arrays), value, offset, constant)


def _synapse(record: LadderRecord, arrays: Arrays) -> Synapse:
    axon = record.axon
    weight = parts_of(record.name, axon, arrays).sum(axis=0)
    return Synapse(axon.synapse, axon.synapse, weight, axon.geometry, record.arriving)
