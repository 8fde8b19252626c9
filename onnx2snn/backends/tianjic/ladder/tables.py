"""From a chain of code `ladder` to the chip's tables; `schema` says what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import LadderChain, Output, UnitPopulation, canonical, store_comparators, write_tables
from onnx2snn.backends.tianjic import chip
from onnx2snn.backends.tianjic.ladder.schema import ForgetfulP08, LadderRecord, TianjicLadderTables
from onnx2snn.backends.tianjic.tables import axon_record, repeats_in
from onnx2snn.ir import Array


def write_ladder(chain: LadderChain, folder: Path) -> None:
    """Writes the tables of a chain that keeps all design rules."""
    host, arrays = store_comparators(chain)
    records = [_record(layer, tick) for tick, layer in enumerate(chain.layers[1:], start=1)]
    for layer in chain.layers[1:]:
        arrays |= _arrays(layer)
    tables = TianjicLadderTables(
        ticks=len(records) + 1, host=host, populations=tuple(records[:-1]), readout=records[-1]
    )
    write_tables(folder, tables, arrays)


def _record(layer: UnitPopulation | Output, tick: int) -> LadderRecord:
    synapse, repeats = layer.synapse, repeats_in(layer)
    assert synapse is not None
    spiking = isinstance(layer, UnitPopulation)
    units, lo = (layer.units, layer.lo) if isinstance(layer, UnitPopulation) else (1, 0)
    weights = chip.image_bytes(synapse.weight.shape, repeats, synapse.geometry)
    return LadderRecord(
        name=layer.name,
        shape=layer.shape,
        first_tick=tick,
        arriving=synapse.units,
        memory_bytes=weights + 4 * len(synapse.weight) + 4 * units * layer.size,
        lo=lo,
        axon=axon_record(synapse, repeats),
        soma=ForgetfulP08(calls=units, fire_type=4 if spiking else 0),
        gather=("P02", "P06") if spiking and units > 1 else (),
    )


def _arrays(layer: UnitPopulation | Output) -> dict[str, Array]:
    name, synapse = layer.name, layer.synapse
    assert synapse is not None
    arrays = {f"{name}/weight": chip.image_of(synapse.weight, repeats_in(layer), synapse.geometry)}
    if isinstance(layer, Output):
        numbers = {"value": layer.scale, "constant": layer.constant, "offset": layer.bias}
        return arrays | {f"{name}/{part}": array for part, array in numbers.items()}
    thresholds = canonical(layer.breakpoints, *synapse.range()) - 1
    arrays[f"{name}/vtheta"] = np.stack([chip.to_memory(row, layer.shape) for row in thresholds]).astype(np.int32)
    return arrays
