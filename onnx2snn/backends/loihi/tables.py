"""From a chain to the chip's tables; `schema` says what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import Chain, Layer, Output, Population, Synapse, store_host, write_tables
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.schema import LoihiTables, PopulationRecord, ReadoutRecord, SynapseRecord
from onnx2snn.ir import Array


def scaling(layer: Layer) -> chip.Scaling:
    """How a layer's grid becomes chip units; the host's layer has no weights to fit."""
    if layer.synapse is None:
        return chip.Scaling(1, 0)
    return chip.scaling_of(layer.synapse.weight << layer.shift)


def compartments_of(layer: Layer) -> int:
    """Compartments that a layer takes."""
    return chip.SOFT_RESET_COMPARTMENTS * layer.size if isinstance(layer, Population) else len(layer.scale)


def write(chain: Chain, steps: int, folder: Path) -> None:
    """Writes the tables of a chain that keeps all design rules."""
    host, arrays = store_host(chain.host, chain.populations[0], steps)
    populations = tuple(_population(p, tick, steps) for tick, p in enumerate(chain.populations))
    readout = _readout(chain.output, len(populations), steps)
    for population in chain.populations:
        arrays |= _population_arrays(population, steps)
    arrays |= _readout_arrays(chain.output)
    tables = LoihiTables(
        steps=steps,
        ticks=steps + len(populations),
        host=host,
        populations=populations,
        readout=readout,
        cores_at_least=sum(layer.cores_at_least for layer in (*populations, readout)),
    )
    write_tables(folder, tables, arrays)


def _population(population: Population, tick: int, steps: int) -> PopulationRecord:
    units = scaling(population)
    compartments = compartments_of(population)
    return PopulationRecord(
        name=population.name,
        shape=population.shape,
        first_tick=tick,
        last_tick=tick + steps - 1,
        compartments=compartments,
        cores_at_least=chip.cores_at_least(compartments),
        scale=units.scale,
        shift=population.shift,
        synapse=None if population.synapse is None else _synapse(population.synapse, units),
        reset_exponents=chip.reset_exponents(population.theta * units.scale),
    )


def _population_arrays(population: Population, steps: int) -> dict[str, Array]:
    name, units = population.name, scaling(population)
    theta = population.theta * units.scale
    start = population.v0 if population.synapse is None else population.start(steps)
    arrays = {
        f"{name}/threshold": (theta - 1).astype(np.int32),
        f"{name}/reset": chip.reset_mantissas(theta, chip.reset_exponents(theta)).astype(np.int16),
        f"{name}/membrane": (start * units.scale).astype(np.int32),
    }
    if population.synapse is not None:
        arrays[f"{name}/bias"] = (population.per_tick(steps) * units.scale).astype(np.int16)
        arrays[f"{name}/weight"] = units.mantissas(population.synapse.weight << population.shift).astype(np.int16)
    return arrays


def _readout(output: Output, tick: int, steps: int) -> ReadoutRecord:
    units = scaling(output)
    compartments = compartments_of(output)
    return ReadoutRecord(
        name=output.name,
        shape=output.shape,
        first_tick=tick,
        last_tick=tick + steps - 1,
        compartments=compartments,
        cores_at_least=chip.cores_at_least(compartments),
        scale=units.scale,
        shift=0,
        synapse=_synapse(output.synapse, units),
    )


def _readout_arrays(output: Output) -> dict[str, Array]:
    units = scaling(output)
    return {
        f"{output.name}/weight": units.mantissas(output.synapse.weight).astype(np.int16),
        f"{output.name}/value": output.scale / units.scale,
        f"{output.name}/offset": output.bias,
    }


def _synapse(synapse: Synapse, units: chip.Scaling) -> SynapseRecord:
    return SynapseRecord(
        name=synapse.name,
        geometry=synapse.geometry,
        kernel=synapse.weight.shape[2:],
        weight_exponent=units.exponent,
    )
