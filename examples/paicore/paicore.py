"""A backend for PAICORE, a digital chip of 1008 cores that compute with spikes: tables, an emulator, its cores.

What a core does at every tick, for each of its neurons (PAIBox 1.2, the chip's public compiler and simulator):

    v <- v + sum of int8 weights of the axons that spiked + leak;   spike and v <- v - threshold  where v >= threshold

with v of 30 bits and 0 at first. That is code `if`, but for the initial membrane: it arrives at a population's first
tick as a spike on axons of its own, `start`, whose weights add up to it. The first population runs on the host, which
sends its spikes; the readout is the host's as well, for a core sends spikes and not sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, final

import numpy as np

from onnx2snn.artifact import Network
from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.chains import (
    STRUCTURE,
    Arrays,
    Chain,
    ChainBackend,
    ChainEmulator,
    Connections,
    Decoded,
    FitGrid,
    Geometry,
    HostRecord,
    Layer,
    LayerBase,
    LayerRule,
    Limit,
    OnChip,
    Output,
    Population,
    Record,
    Stage,
    Synapse,
    TablesBase,
    audit,
    chain_if_sound,
    chain_of,
    ends,
    in_every_layer,
    load_host,
    read_tables,
    store_host,
    within,
    write_tables,
)
from onnx2snn.backends.chains.partition import HOST, Block, Load, Profile, Projection, Resource
from onnx2snn.errors import ArtifactError
from onnx2snn.ir import Array
from onnx2snn.passes import MapNeurons
from onnx2snn.passes.base import Recipe

WEIGHT = 127  #: the largest weight that is used, of either sign
MEMBRANE = (1 << 29) - 1
THRESHOLD = (1 << 29) - 1
DENDRITES, FAN_IN, MOST_FAN_IN = 512, 1152, 1152 << 6
WEIGHT_PLANES = 8  #: dendrites that a neuron with 8-bit weights takes
FEWER = "fewer inputs, smaller kernels or fewer channels lower that"


# -- what the chip can hold ----------------------------------------------------------------------------------------


def weights_fit_int8(layer: Layer, steps: int) -> Limit | None:
    """Weights on the layer's grid; the host's readout has no such limit."""
    if layer.synapse is None or isinstance(layer, Output):
        return None
    found = ends(layer.synapse.weight << layer.shift)
    return Limit(layer.synapse.label, "weights", *found, -WEIGHT, WEIGHT, "fewer weight bits help")


def membranes_fit_30_bits(layer: Layer, steps: int) -> Limit | None:
    """Membranes and thresholds."""
    if layer.synapse is None or not isinstance(layer, Population):
        return None
    found = ends(*layer.membrane(steps), layer.theta)
    return Limit(layer.label, "membranes", *found, -MEMBRANE, MEMBRANE, "coarser activations lower it")


LIMITS: tuple[LayerRule, ...] = (weights_fit_int8, membranes_fit_30_bits)


@final
class FitPaicore(FitGrid):
    """The finest grid whose weights are int8.

    given, result: see `FitGrid`.
    """

    name: ClassVar[str] = "fit-paicore"
    most_shift: ClassVar[int] = 7
    most_theta: ClassVar[int] = THRESHOLD

    def fits(self, population: Population) -> bool:
        return within(LIMITS, population, self.steps)


@final
@dataclass(frozen=True, eq=False)
class PaicoreBlock(Block):
    """A population on cores.  starts: axons that bring its initial membrane."""

    starts: int = 0


@final
class Paicore(Profile):
    """1008 cores of 512 dendrites; a neuron takes more of them the more bits its weights and the more axons it has."""

    name: ClassVar[str] = "paicore"
    cores: ClassVar[int] = 1008
    accounting: ClassVar[str] = "PAIBox: a neuron takes 8 dendrites for its weights, times 1, 2, 4 ... 64 for its axons"
    assumptions: ClassVar[tuple[str, ...]] = (
        "a spike reaches any number of cores, which the router's trees may not allow",
    )

    @property
    def resources(self) -> tuple[Resource, ...]:
        return (Resource("dendrites", DENDRITES, FEWER), Resource("axons", MOST_FAN_IN, FEWER))

    def most_neurons(self, block: Block) -> int:
        return DENDRITES // WEIGHT_PLANES

    def use(self, load: Load) -> tuple[int, ...]:
        assert isinstance(load.block, PaicoreBlock)
        axons = sum(arriving.sources for arriving in load.arriving) + load.block.starts
        groups = -(-axons // FAN_IN)
        return load.neurons * WEIGHT_PLANES << (groups - 1).bit_length(), axons


# -- tables ---------------------------------------------------------------------------------------------------------


class PaicoreLayer(LayerBase):
    """One layer; the first (no synapse) and the readout are the host's.

    synapse, geometry: its name in the network, and where it leads.  starts: axons that bring the initial membrane.
    """

    synapse: str | None
    geometry: Geometry | None
    starts: int = 0

    @property
    def wiring(self) -> Geometry | None:
        return self.geometry


class PaicoreTables(TablesBase):
    """`tables.json`. Arrays of a layer NAME in `tables.safetensors`, neurons row-major:

    NAME/weight int (out, in / groups, *kernel); int8 on the chip.  NAME/threshold, NAME/leak int32 (neurons,).
    NAME/start int8 (starts, neurons).  NAME/value, NAME/offset float64 (outputs,) of the readout.  NAME/threshold and
    NAME/v0 int64 (neurons,) of the host's population.
    """

    format: Literal["onnx2snn paicore tables"] = "onnx2snn paicore tables"
    version: Literal[1] = 1
    host: HostRecord
    populations: tuple[PaicoreLayer, ...]
    readout: PaicoreLayer

    @property
    def layers(self) -> tuple[PaicoreLayer, ...]:
        return (*self.populations, self.readout)


def start_axons(start: Array) -> Array:
    """Initial membranes (neurons,) as weights of axons that all spike once, int8 (axons, neurons)."""
    axons = max(1, -(-int(np.abs(start).max(initial=0)) // WEIGHT))
    shares = [np.clip(start - np.sign(start) * WEIGHT * i, -WEIGHT, WEIGHT) for i in range(axons)]
    reached = [np.where(np.abs(start) > WEIGHT * i, share, 0) for i, share in enumerate(shares)]
    return np.stack(reached).astype(np.int8)


def write(chain: Chain, steps: int, folder: Path) -> None:
    """Writes the tables of a chain that keeps all design rules."""
    host, arrays = store_host(chain.host, chain.populations[0], steps)
    first, *others = chain.populations
    arrays |= {f"{first.name}/threshold": first.theta, f"{first.name}/v0": first.v0}
    records = [_record(layer, tick, steps) for tick, layer in enumerate(chain.layers)]
    for layer in others:
        assert layer.synapse is not None
        arrays[f"{layer.name}/weight"] = (layer.synapse.weight << layer.shift).astype(np.int8)
        arrays[f"{layer.name}/threshold"] = layer.theta.astype(np.int32)
        arrays[f"{layer.name}/leak"] = layer.per_tick(steps).astype(np.int32)
        arrays[f"{layer.name}/start"] = start_axons(layer.start(steps))
    output = chain.output
    arrays[f"{output.name}/weight"] = output.synapse.weight
    arrays |= {f"{output.name}/value": output.scale, f"{output.name}/offset": output.bias}
    ticks = steps + len(chain.populations)
    tables = PaicoreTables(steps=steps, ticks=ticks, host=host, populations=tuple(records[:-1]), readout=records[-1])
    write_tables(folder, tables, arrays)


def _record(layer: Layer, tick: int, steps: int) -> PaicoreLayer:
    synapse = layer.synapse
    starts = start_axons(layer.start(steps)) if synapse is not None and isinstance(layer, Population) else ()
    return PaicoreLayer(
        name=layer.name,
        shape=layer.shape,
        first_tick=tick,
        last_tick=tick + steps - 1,
        shift=layer.shift,
        synapse=None if synapse is None else synapse.name,
        geometry=None if synapse is None else synapse.geometry,
        starts=len(starts),
    )


def decode(folder: Path) -> Decoded:
    """The network that the tables in `folder` tell."""
    tables, arrays = read_tables(folder, PaicoreTables)
    first, *others = tables.populations
    drive = load_host(tables.host, arrays, first.size)
    theta, v0 = (arrays.take(f"{first.name}/{part}", (first.size,)) for part in ("threshold", "v0"))
    populations = [Population(first.name, first.name, first.shape, None, theta, v0, drive.bias, first.shift)]
    for record in others:
        theta, leak = (arrays.take(f"{record.name}/{part}", (record.size,)) for part in ("threshold", "leak"))
        start = arrays.take(f"{record.name}/start", (record.starts, record.size)).sum(axis=0)
        synapse = _synapse(record, arrays, record.shift)
        bias = tables.steps * leak
        populations.append(
            Population(record.name, record.name, record.shape, synapse, theta, start, bias, record.shift)
        )
    readout = tables.readout
    value, offset = (arrays.take(f"{readout.name}/{part}", (readout.size,)) for part in ("value", "offset"))
    named, none = (readout.name, readout.name, readout.shape), np.zeros(readout.size, np.int64)
    output = Output(*named, _synapse(readout, arrays, 0), value, offset, none)
    return Decoded(Chain(drive.graph, tuple(populations), output), drive, tables.steps)


def _synapse(record: PaicoreLayer, arrays: Arrays, shift: int) -> Synapse:
    assert record.geometry is not None  # the schema sees to it
    assert record.synapse is not None
    weights = arrays.under(f"{record.name}/weight")[""]
    weight = arrays.take(f"{record.name}/weight", record.geometry.weight_shape(weights.shape[2:]))
    if (weight % (1 << shift)).any():
        raise ArtifactError(f"{record.name}/weight: multiples of {1 << shift} expected")
    return Synapse(record.synapse, record.synapse, weight >> shift, record.geometry)


# -- emulator -------------------------------------------------------------------------------------------------------


class Core:
    """A population through its ticks; the host's where nothing arrives."""

    def __init__(self, population: Population, steps: int, leak: Array, start: Array) -> None:
        self.theta, self.shift, self.leak, self.v = population.theta, population.shift, leak, start
        synapse = population.synapse
        self.connections = None if synapse is None else Connections(synapse.geometry, synapse.weight)

    def tick(self, arriving: Array | None) -> Array:
        arrived = 0 if self.connections is None or arriving is None else self.connections.sum(arriving) << self.shift
        self.v = self.v + arrived + self.leak
        spike = self.v >= self.theta
        self.v = self.v - spike * self.theta
        return spike


class Sums:
    """The host's readout."""

    def __init__(self, synapse: Synapse, total: Array) -> None:
        self.connections, self.total = Connections(synapse.geometry, synapse.weight), total

    def tick(self, arriving: Array | None) -> Array:
        assert arriving is not None  # a population stands before it
        self.total = self.total + self.connections.sum(arriving)
        return self.total


class PaicoreEmulator(ChainEmulator):
    """Runs the tables in a folder, many samples at a time."""

    def __init__(self, folder: Path) -> None:
        decoded = decode(folder)
        self.chain = decoded.chain
        named = [(p.name, p.shape) for p in self.chain.populations]
        super().__init__(decoded.drive, named, decoded.steps)

    def stages(self, share: Array, rest: Array) -> list[Stage]:
        first, *others = self.chain.populations
        stages: list[Stage] = [Core(first, self.steps, share, first.v0 + rest)]
        for p in others:
            start = np.broadcast_to(p.start(self.steps), (len(rest), p.size))
            stages.append(Core(p, self.steps, p.per_tick(self.steps), start))
        output = self.chain.output
        return [*stages, Sums(output.synapse, np.zeros((len(rest), output.size), np.int64))]

    def output(self, readout: Stage) -> Array:
        assert isinstance(readout, Sums)
        output = self.chain.output
        return (output.scale * readout.total + output.bias).reshape(len(readout.total), *output.shape)


# -- the backend ----------------------------------------------------------------------------------------------------


def blocks_of(chain: Chain, steps: int) -> tuple[PaicoreBlock, ...]:
    """The populations on cores; the host feeds the first of them."""
    blocks: list[PaicoreBlock] = []
    for layer in chain.populations[1:]:
        synapse = layer.synapse
        assert synapse is not None
        source = blocks[-1].name if blocks else HOST
        projection = Projection(source, synapse.label, synapse.geometry, synapse.weight.shape[2:])
        starts = len(start_axons(layer.start(steps)))
        blocks.append(PaicoreBlock(layer.name, layer.label, synapse.geometry.makes, (projection,), starts=starts))
    return tuple(blocks)


def something_for_the_cores(network: Network) -> Iterable[str]:
    """The first population is the host's."""
    chain = chain_if_sound(network)
    if chain is not None and len(chain.populations) < 2:
        yield "it has one population, which the host runs; two or more expected"


@final
class PaicoreIf(OnChip):
    """Integrate-and-fire with soft reset."""

    tables: ClassVar[type[Record]] = PaicoreTables

    def neurons(self, steps: int) -> Recipe:
        return (MapNeurons(code="if", steps=steps), FitPaicore(steps=steps))

    def blocks(self, network: Network) -> tuple[Block, ...] | None:
        chain = chain_if_sound(network)
        return None if chain is None else blocks_of(chain, network.schedule.steps)

    def write(self, network: Network, folder: Path) -> None:
        write(chain_of(network.graph), network.schedule.steps, folder)

    def audit(self, network: Network, folder: Path) -> list[str]:
        return audit(network, partial(decode, folder))

    def emulator(self, folder: Path) -> PaicoreEmulator:
        return PaicoreEmulator(folder)


@final
class PaicoreBackend(ChainBackend):
    """Populations but the first on PAICORE's cores."""

    name: ClassVar[str] = "paicore"
    summary: ClassVar[str] = "integer tables for PAICORE and an emulator of its cores"
    codes: ClassVar[tuple[str, ...]] = ("if",)
    chooses: ClassVar[tuple[str, ...]] = ()
    rules: ClassVar[tuple[DesignRule, ...]] = (*STRUCTURE, *map(in_every_layer, LIMITS), something_for_the_cores)

    def on_chip(self, code: str) -> PaicoreIf:
        return PaicoreIf()

    def profile(self, code: str) -> Profile:
        return Paicore()
