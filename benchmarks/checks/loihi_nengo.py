"""Runs Loihi tables on nengo-loihi's emulator, one block a core, and compares every spike and every membrane.

After `loihi_expected.py`, in an environment made by

    python3 -m venv nengo
    nengo/bin/pip install nengo-loihi==1.1.0 nengo==4.1.0 "numpy==1.26.4" "scipy==1.11.4" safetensors

run

    nengo/bin/python benchmarks/checks/loihi_nengo.py FOLDER benchmarks/results/loihi_checks.json

Every core of `cores.json` is a `LoihiBlock`; weights go through nengo-loihi's own `discretize_weights`. What its
emulator has not is NO_SPIKE_AND_PASS_V_LG_VTH_TO_PARENT, by which a dendrite hands its membrane to its soma: dendrites
get a threshold out of reach and the somas' comparison is made here between two ticks. All else is its own: synapses,
sums, currents, membranes, axons, ticks. `utilization()` of every block is compared with `cores.json`.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nengo  # type: ignore[import-not-found]
import nengo_loihi  # type: ignore[import-not-found]
import numpy as np
from loihi_tables import Array, Expected, ExpectedLadder, Layer, Row, Tables, expected, report
from nengo_loihi.block import Axon, LoihiBlock, Synapse  # type: ignore[import-not-found]
from nengo_loihi.builder import Model  # type: ignore[import-not-found]
from nengo_loihi.builder.discretize import array_to_int, discretize_weights  # type: ignore[import-not-found]
from nengo_loihi.builder.validate import validate_block  # type: ignore[import-not-found]
from nengo_loihi.emulator.interface import EmulatorInterface  # type: ignore[import-not-found]
from nengo_loihi.inputs import SpikeInput  # type: ignore[import-not-found]
from scipy.sparse import coo_matrix, csr_matrix

OUT_OF_REACH = (1 << 31) - 1
LOWEST = -256  # legal on the chip; discretize_weights alone cuts it to -254
SPARSE, DENSE = 0, 3  # nengo-loihi's codes of a list with the number of every compartment, and of one without
MIXED, INHIBITORY = 1, 3


@dataclass(frozen=True)
class Core:
    """A block, and which of its layer's integrating compartments lie on it, in order."""

    layer: Layer
    own: Array
    block: Any

    @property
    def each(self) -> int:
        """Compartments of the block for each of them: dendrite and soma, or one."""
        return 2 if self.layer.resets else 1

    @property
    def somas(self) -> Array:
        """The compartments that spike."""
        return np.arange(len(self.own)) * self.each + self.each - 1

    @property
    def dendrites(self) -> Array:
        """The compartments that integrate."""
        return np.arange(len(self.own)) * self.each


# -- building --------------------------------------------------------------------------------------------------------


def cores_of(layer: Layer, placed: dict[str, Any]) -> list[Core]:
    """A layer's blocks without synapses, as `cores.json` cuts it: boxes in row-major order, channels last."""
    numbers = np.arange(layer.size).reshape(*placed["shape"], layer.units)
    cores = list[Core]()
    for index in np.ndindex(*(-(-n // b) for n, b in zip(placed["shape"], placed["box"], strict=True))):
        box = numbers[tuple(slice(i * b, (i + 1) * b) for i, b in zip(index, placed["box"], strict=True))]
        own = np.moveaxis(box, 0, -2).reshape(-1)
        block = LoihiBlock(len(own) * (2 if layer.resets else 1), label=f"{layer.name} {len(cores)}")
        core = Core(layer, own, block)
        _configure(core)
        cores.append(core)
    if len(cores) != placed["cores"]:
        raise SystemExit(f"{layer.name}: {placed['cores']} cores in cores.json, {len(cores)} boxes")
    return cores


def _configure(core: Core) -> None:
    compartment, layer = core.block.compartment, core.layer
    threshold = np.full(core.block.n_neurons, layer.threshold << 6)
    if layer.resets:
        threshold[core.dendrites] = OUT_OF_REACH
    array_to_int(compartment.decay_u, layer.decay_u - 1)  # the emulator adds the one that the chip adds
    array_to_int(compartment.decay_v, layer.decay_v)
    array_to_int(compartment.bias, 0)
    array_to_int(compartment.vth, threshold.astype(np.float64))
    compartment.scale_u = compartment.scale_v = False
    compartment.refract_delay[:] = 1
    compartment.vmin, compartment.vmax = 1 - (1 << layer.floor_bits), (1 << 23) - 1


def _synapse(core: Core, mantissas: Any, exponent: int, fanout: int) -> Any:
    """Discretised by nengo-loihi: mantissas (axons, integrating compartments of the core)."""
    coo = mantissas.tocoo()
    spread = (coo.data.astype(np.float32), (coo.row, core.dendrites[coo.col]))
    synapse = Synapse(mantissas.shape[0])
    synapse.set_weights(coo_matrix(spread, shape=(mantissas.shape[0], core.block.n_neurons)))
    synapse.format(weight_exp=exponent, fanout_type=fanout)
    for weights in synapse.weights:
        lowest = weights == LOWEST
        array_to_int(weights, discretize_weights(synapse.synapse_cfg, weights))
        weights[lowest] = LOWEST << (6 + exponent)
    core.block.add_synapse(synapse)
    return synapse


def _wire(sources: Any, target: Core) -> None:
    """The synapse of a core and the axons that reach it: one input axon for every source with a target here.

    sources: cores, or the `SpikeInput` of the host.
    """
    by_source: Any = csr_matrix(target.layer.weights[target.own].T)
    used = np.flatnonzero(np.diff(by_source.indptr))
    synapse = _synapse(target, by_source[used], target.layer.weight_exponent, MIXED)
    axon_of = np.full(by_source.shape[0], -1)
    axon_of[used] = np.arange(len(used))
    if isinstance(sources, SpikeInput):
        sources.add_axon(_axon(synapse, axon_of))
        return
    for source in sources:
        reached = np.full(source.block.n_neurons, -1)
        reached[source.somas] = axon_of[source.own]
        if (reached >= 0).any():
            source.block.add_axon(_axon(synapse, reached))


def _axon(synapse: Any, reached: Array) -> Any:
    """Axons from compartments to those of a synapse, -1 for none."""
    axon = Axon(int((reached >= 0).sum()))
    axon.target = synapse
    axon.set_compartment_axon_map(reached)
    return axon


def _reset(core: Core) -> None:
    """Synapses from each soma back to its dendrite."""
    each = np.arange(len(core.own))
    for reset in core.layer.resets:
        synapse = _synapse(core, csr_matrix((-reset.mantissas[core.own], (each, each))), reset.exponent, INHIBITORY)
        reached = np.full(core.block.n_neurons, -1)
        reached[core.somas] = each
        core.block.add_axon(_axon(synapse, reached))


def build(tables: Tables, placed: dict[str, Any], host: SpikeInput) -> list[list[Core]]:
    """The cores of every layer, wired."""
    layers = list[list[Core]]()
    for layer, where in zip(tables.layers, placed["layers"], strict=True):
        cores = cores_of(layer, where)
        for core in cores:
            if layer.weights is not None:
                _wire(layers[-1] if layers else host, core)
            _reset(core)
        layers.append(cores)
    return layers


# -- running ---------------------------------------------------------------------------------------------------------


@dataclass
class Counts:
    """What was compared."""

    spikes: int = 0
    compared: int = 0
    spikes_that_differ: int = 0
    membranes_compared: int = 0
    membranes_that_differ: int = 0


def emulator_of(layers: list[list[Core]], host: SpikeInput) -> tuple[Any, list[tuple[Core, int]]]:
    """nengo-loihi's emulator, and every core with the number of its first compartment."""
    model = Model()
    model.add_input(host)
    cores = [core for cores in layers for core in cores]
    for core in cores:
        model.add_block(core.block)
    emulator = EmulatorInterface(model, seed=0)
    return emulator, [(core, emulator.block_info.slices[core.block].start) for core in cores]


def run(tables: Tables, layers: list[list[Core]], host: SpikeInput, told: Expected) -> Row:
    """Codes `if` and `lif`: every sample, tick by tick, each layer set going at its first tick."""
    emulator, at = emulator_of(layers, host)
    state, counts = emulator.compartment, Counts()
    for sample in range(told.samples):
        for array in (state.voltage, state.current, state.bias, state.ref_count, state.spiked):
            array[:] = 0
        for tick in range(tables.ticks):
            for core, first in at:
                if tick == core.layer.first_tick:
                    membrane, current, bias = told.start(core.layer, sample)
                    state.voltage[first + core.dendrites] = membrane[core.own]
                    state.current[first + core.dendrites] = current[core.own]
                    state.bias[first + core.dendrites] = bias[core.own] << core.layer.bias_exponent
            emulator.step()
            for core, first in at:
                _fire(core, first, state)
                step, number = tick - core.layer.first_tick, core.layer.first_tick
                if 0 <= step < tables.steps:
                    wanted = told.spikes[number][step, sample], told.membranes[number][step, sample]
                    _compare(core, first, state, counts, *wanted)
    return asdict(counts)


def run_ladder(tables: Tables, layers: list[list[Core]], host: SpikeInput, told: ExpectedLadder) -> Row:
    """Code `ladder`: a sample a tick, one after the other, through nengo-loihi's emulator as it is."""
    for sample, spikes in enumerate(told.spikes(tables.host_units)):
        host.add_spikes(sample + 1, np.flatnonzero(spikes))
    emulator, at = emulator_of(layers, host)
    state = emulator.compartment
    fired = [np.zeros((told.samples, layer.size), np.int64) for layer in tables.layers]
    currents = np.zeros((told.samples, tables.layers[-1].size), np.int64)
    for tick in range(told.samples + tables.ticks - 1):
        for core, first in at:
            if tick == core.layer.first_tick:
                state.bias[first + core.dendrites] = core.layer.bias[core.own] << core.layer.bias_exponent
        emulator.step()
        for core, first in at:
            sample, number = tick - core.layer.first_tick, core.layer.first_tick - 1
            if 0 <= sample < told.samples:
                fired[number][sample, core.own] = state.spiked[first + core.somas]
                if core.layer is tables.layers[-1]:
                    currents[sample, core.own] = state.current[first + core.dendrites]
    return told.differences(tables, fired[:-1], currents)


def _fire(core: Core, first: int, state: Any) -> None:
    """The somas' comparison, between two ticks."""
    if core.layer.resets:
        passed = state.voltage[first + core.dendrites] + core.layer.soma_bias
        state.spiked[first + core.somas] = passed > core.layer.threshold << 6


def _compare(core: Core, first: int, state: Any, counts: Counts, spikes: Array, membranes: Array) -> None:
    found, membrane = state.spiked[first + core.somas], state.voltage[first + core.dendrites]
    counts.spikes += int(found.sum())
    counts.compared += len(found)
    counts.spikes_that_differ += int((found != spikes[core.own]).sum())
    counts.membranes_compared += len(membrane)
    counts.membranes_that_differ += int((membrane != membranes[core.own]).sum())


# -- what a core holds -----------------------------------------------------------------------------------------------


@dataclass
class Use:
    """Sums over all cores; words of synaptic memory by `cores.json` and by nengo-loihi, in two forms of its lists."""

    cores: int = 0
    uses_that_differ: int = 0
    words: int = 0
    nengo_words_dense: int = 0
    nengo_words_sparse: int = 0
    cores_refused_dense: int = 0
    cores_refused_sparse: int = 0

    def add(self, core: Core, ours: dict[str, int]) -> None:
        """Compartments and axons that differ, and words and refusals of a core."""
        theirs = {key: used for key, (used, _) in core.block.utilization().items()}
        formats = max(len(core.layer.resets) - 1, 0) * len(core.own)  # a list there has synapses of one format
        wanted = -(-theirs["compartments"] // 4) * 4, theirs["in-axons"] - formats, theirs["out-axons"] - formats
        found = ours["compartments"], ours["input axons"], ours["output axons"]
        self.cores += 1
        self.uses_that_differ += sum(w != f for w, f in zip(wanted, found, strict=True))
        self.words += ours["words of synaptic memory"]
        words, refused = _listed(core.block, DENSE)
        self.nengo_words_dense += words
        self.cores_refused_dense += refused
        words, refused = _listed(core.block, SPARSE)
        self.nengo_words_sparse += words
        self.cores_refused_sparse += refused


def utilization(layers: list[list[Core]], placed: dict[str, Any]) -> Use:
    """nengo-loihi's count of every block beside `cores.json`."""
    names, use = [resource["name"] for resource in placed["resources"]], Use()
    for cores, where in zip(layers, placed["layers"], strict=True):
        for core, ours in zip(cores, where["use"], strict=True):
            use.add(core, dict(zip(names, ours, strict=True)))
    return use


def _listed(block: Any, compression: int) -> tuple[int, int]:
    """Words of synaptic memory with lists of one form, and whether nengo-loihi refuses the block then."""
    for synapse in block.synapses:
        synapse.format(compression=compression)
    return block.utilization()["synapses"][0] // 64, _refused(block)


def _refused(block: Any) -> int:
    try:
        validate_block(block)
    except nengo.exceptions.BuildError:
        return 1
    return 0


def check(place: Path, tables: Tables) -> Row:
    """One network."""
    begun, told = time.monotonic(), expected(place)
    placed = json.loads((place / "cores.json").read_text())
    row: Row = {"code": tables.code, "layers": len(tables.layers), "steps": tables.steps, "samples": told.samples}
    weights = [layer.weights.data for layer in tables.layers if layer.weights is not None]
    row["mantissas_of_-256"] = sum(int((mantissas == LOWEST).sum()) for mantissas in weights)
    if isinstance(told, ExpectedLadder):
        host = SpikeInput(told.arriving.shape[1] * tables.host_units)
        layers = build(tables, placed, host)
        row |= run_ladder(tables, layers, host, told)
    else:
        host = SpikeInput(0)
        layers = build(tables, placed, host)
        row |= run(tables, layers, host, told)
    return row | asdict(utilization(layers, placed)) | {"seconds": round(time.monotonic() - begun, 1)}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    versions = {
        "emulator": "nengo-loihi",
        "command": "python benchmarks/checks/loihi_nengo.py FOLDER RESULT",
        "versions": {"nengo-loihi": nengo_loihi.__version__, "nengo": nengo.__version__, "numpy": np.__version__},
    }
    sys.exit(report(Path(sys.argv[1]), check, versions, Path(sys.argv[2])) > 0)
