"""From a chain to the chip's tables; `schema` says what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import Chain, Layer, Output, Population, Synapse, store_host, write_tables
from onnx2snn.backends.chains.layers import WHOLE
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.leaks import taken_off
from onnx2snn.backends.loihi.schema import SOMA_BIAS, LoihiTables, PopulationRecord, ReadoutRecord, SynapseRecord
from onnx2snn.ir import Array


def scaling(layer: Layer) -> chip.Scaling:
    """How a layer's grid becomes chip units; the host's layer has no weights to fit."""
    if layer.synapse is None:
        return chip.Scaling(1, 0)
    return chip.scaling_of(layer.synapse.weight << layer.shift)


def resets_of(population: Population, version: chip.Chip) -> tuple[Array, tuple[int, ...]]:
    """What a spike takes off, int64 (neurons,) in chip units, and the exponents of its reset weights; none for 0."""
    taken = taken_off(population.theta * scaling(population).scale, population.leak, version)
    return taken, chip.reset_exponents(taken) if population.subtracts else ()


def lift_of(population: Population) -> Array:
    """How far each neuron's threshold lies below the one that all of them have on the chip, in chip units.

    A core holds few distinct thresholds. A membrane that starts higher by the difference passes a common threshold
    when it would pass its own, whatever comes, and a spike takes off the neuron's own reset all the same.
    """
    return (population.theta.max() - population.theta) * scaling(population).scale


def compartments_of(layer: Layer, version: chip.Chip) -> int:
    """Compartments that a layer takes; Loihi 2's microcode resets softly in one, and one is enough to reset to 0."""
    two = isinstance(layer, Population) and layer.subtracts and version == "loihi1"
    return (chip.SOFT_RESET_COMPARTMENTS if two else 1) * layer.size


def write(chain: Chain, steps: int, folder: Path, version: chip.Chip = "loihi1") -> None:
    """Writes the tables of a chain in chip units that keeps all design rules."""
    host, arrays = store_host(chain.host, chain.populations[0], steps)
    populations = tuple(_population(p, tick, steps, version) for tick, p in enumerate(chain.populations))
    readout = _readout(chain.output, len(populations), steps, version)
    for population in chain.populations:
        arrays |= _population_arrays(population, steps, version)
    arrays |= _readout_arrays(chain.output)
    tables = LoihiTables(
        chip=version,
        steps=steps,
        ticks=steps + len(populations),
        host=host,
        populations=populations,
        readout=readout,
    )
    write_tables(folder, tables, arrays)


def _population(population: Population, tick: int, steps: int, version: chip.Chip) -> PopulationRecord:
    units, leak = scaling(population), population.leak
    soft = "two-compartment" if version == "loihi1" else "microcode"
    return PopulationRecord(
        name=population.name,
        shape=population.shape,
        first_tick=tick,
        last_tick=tick + steps - 1,
        compartments=compartments_of(population, version),
        scale=units.scale,
        shift=population.shift,
        synapse=None if population.synapse is None else synapse_record(population.synapse, units),
        threshold=int(population.theta.max()) * units.scale - 1,
        reset=soft if population.subtracts else "zero",
        reset_exponents=resets_of(population, version)[1],
        decay_u=WHOLE - (0 if leak is None else leak.current_decay),
        decay_v=0 if leak is None else WHOLE - leak.decay,
        soma_bias=SOMA_BIAS if leak is not None and population.subtracts else 0,
    )


def _population_arrays(population: Population, steps: int, version: chip.Chip) -> dict[str, Array]:
    name, units = population.name, scaling(population)
    taken, exponents = resets_of(population, version)
    start = population.v0 if population.synapse is None else population.start(steps)
    arrays: dict[str, Array] = {f"{name}/membrane": (start * units.scale + lift_of(population)).astype(np.int32)}
    if exponents:
        arrays[f"{name}/reset"] = chip.reset_mantissas(taken, exponents).astype(np.int16)
    if population.synapse is not None:
        arrays[f"{name}/bias"] = (population.per_tick(steps) * units.scale).astype(np.int16)
        arrays[f"{name}/weight"] = units.mantissas(population.synapse.weight << population.shift).astype(np.int16)
    return arrays


def _readout(output: Output, tick: int, steps: int, version: chip.Chip) -> ReadoutRecord:
    units = scaling(output)
    return ReadoutRecord(
        name=output.name,
        shape=output.shape,
        first_tick=tick,
        last_tick=tick + steps - 1,
        compartments=compartments_of(output, version),
        scale=units.scale,
        shift=0,
        synapse=synapse_record(output.synapse, units),
    )


def _readout_arrays(output: Output) -> dict[str, Array]:
    units = scaling(output)
    return {
        f"{output.name}/weight": units.mantissas(output.synapse.weight).astype(np.int16),
        f"{output.name}/value": output.scale / units.scale,
        f"{output.name}/offset": output.bias,
    }


def synapse_record(synapse: Synapse, units: chip.Scaling) -> SynapseRecord:
    """What the tables say of a synapse beside its weights."""
    return SynapseRecord(
        name=synapse.name,
        geometry=synapse.geometry,
        kernel=synapse.weight.shape[2:],
        weight_exponent=units.exponent,
    )
