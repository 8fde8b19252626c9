"""From the chip's tables back to the chain that they stand for, and what about them is not sure."""

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
    canonical,
    load_chain,
    read_tables,
)
from onnx2snn.backends.loihi.decode import divided, weight_of
from onnx2snn.backends.loihi.ladder.schema import LadderLayerRecord, LoihiLadderTables, SumsRecord, UnitsRecord
from onnx2snn.backends.loihi.ladder.sums import parts_of
from onnx2snn.backends.loihi.ladder.units import Biases, grid_of, realised


def decode_ladder(folder: Path, limits: tuple[LayerRule, ...]) -> DecodedLadder:
    """The network that the tables in `folder` tell; its worst cases are held against `limits`."""
    tables, arrays = read_tables(folder, LoihiLadderTables)
    found = [_population(record, arrays) for record in tables.populations]
    output = _output(tables.readout, arrays)
    unsure = [doubt for _, doubts in found for doubt in doubts]
    if tables.readout.parts != parts_of(output):
        unsure.append(f"{output.name}: {parts_of(output)} compartments for each output hold its sums")
    chain = load_chain(tables.host, arrays, [population for population, _ in found], output)
    return DecodedLadder(chain, (*unsure, *map(str, broken(limits, chain.layers, 1))))


def biases_in(record: UnitsRecord, arrays: Arrays) -> Biases:
    """Threshold and biases of a layer."""
    mantissas = arrays.take(f"{record.name}/bias", (record.units, record.size))
    return Biases(record.threshold, record.bias_exponent, mantissas)


def _population(record: UnitsRecord, arrays: Arrays) -> tuple[UnitPopulation, list[str]]:
    synapse = _synapse(record, arrays)
    grid = grid_of(record.synapse.weight_exponent)
    low, high = (end * record.scale for end in synapse.range())
    least, greatest = (canonical(sums, low, high, grid) for sums in realised(biases_in(record, arrays), grid))
    open_ = int((least != greatest).sum())
    doubts = [f"{record.name}: what is left of a tick before can change {open_} of {least.size} units"] if open_ else []
    breakpoints = -(-least // record.scale)
    return UnitPopulation(record.name, record.name, record.shape, synapse, breakpoints, record.lo), doubts


def _output(record: SumsRecord, arrays: Arrays) -> Output:
    outputs = (record.size,)
    value, constant, offset = (
        arrays.take(f"{record.name}/{part}", outputs) for part in ("value", "constant", "offset")
    )
    constant = divided(constant.astype(np.int64), record.scale, f"{record.name}/constant")
    synapse = _synapse(record, arrays)
    return Output(record.name, record.name, record.shape, synapse, value * record.scale, offset, constant)


def _synapse(layer: LadderLayerRecord, arrays: Arrays) -> Synapse:
    record = layer.synapse
    weight = divided(weight_of(layer.name, record, arrays), layer.scale, f"{layer.name}/weight")
    return Synapse(record.name, record.name, weight, record.geometry, layer.arriving)
