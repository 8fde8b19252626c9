"""From a chain of code `ladder` to the chip's tables; `schema` says what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import LadderChain, Output, Synapse, UnitPopulation, store_comparators, write_tables
from onnx2snn.backends.loihi.chip import Chip
from onnx2snn.backends.loihi.ladder.schema import LoihiLadderTables, SumsRecord, UnitsRecord, form_of
from onnx2snn.backends.loihi.ladder.sums import parts_of
from onnx2snn.backends.loihi.ladder.units import biases_of
from onnx2snn.backends.loihi.tables import scaling, synapse_record
from onnx2snn.ir import Array


def write_ladder(chain: LadderChain, folder: Path, version: Chip) -> None:
    """Writes the tables of a chain that keeps all design rules."""
    host, arrays = store_comparators(chain)
    records: list[UnitsRecord] = []
    for tick, population in enumerate(chain.populations[1:], start=1):
        record, own = _population(population, tick, version)
        records.append(record)
        arrays |= own
    readout, own = _readout(chain.output, len(records) + 1)
    tables = LoihiLadderTables(
        chip=version, ticks=len(records) + 2, host=host, populations=tuple(records), readout=readout
    )
    write_tables(folder, tables, arrays | own)


def _population(population: UnitPopulation, tick: int, version: Chip) -> tuple[UnitsRecord, dict[str, Array]]:
    units, biases, synapse = scaling(population), biases_of(population), population.synapse
    assert synapse is not None
    form = form_of(version)
    record = UnitsRecord(
        name=population.name,
        shape=population.shape,
        first_tick=tick,
        arriving=synapse.units,
        compartments=population.size * (population.units if form == "compartments" else 1),
        scale=units.scale,
        synapse=synapse_record(synapse, units),
        form=form,
        units=population.units,
        lo=population.lo,
        threshold=biases.threshold,
        bias_exponent=biases.exponent,  # type: ignore[arg-type]
    )
    arrays = {f"{population.name}/bias": biases.mantissas.astype(np.int16)}
    return record, arrays | _weights(population, synapse)


def _readout(output: Output, tick: int) -> tuple[SumsRecord, dict[str, Array]]:
    units = scaling(output)
    record = SumsRecord(
        name=output.name,
        shape=output.shape,
        first_tick=tick,
        arriving=output.synapse.units,
        compartments=output.size * parts_of(output),
        parts=parts_of(output),
        scale=units.scale,
        synapse=synapse_record(output.synapse, units),
    )
    arrays = {
        f"{output.name}/value": output.scale / units.scale,
        f"{output.name}/constant": output.constant * units.scale,
        f"{output.name}/offset": output.bias,
    }
    return record, arrays | _weights(output, output.synapse)


def _weights(layer: UnitPopulation | Output, synapse: Synapse) -> dict[str, Array]:
    return {f"{layer.name}/weight": scaling(layer).mantissas(synapse.weight).astype(np.int16)}
