"""What a core of TianjicX, or of the Tianjic of 2019, holds, and what a population asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal, final

from onnx2snn.backends.chains import Chain, LadderChain, Layer, Output, UnitPopulation
from onnx2snn.backends.chains.partition import HOST, Arriving, Block, Load, Profile, Projection, Resource
from onnx2snn.backends.tianjic import chip
from onnx2snn.backends.tianjic.tables import repeats_in

Chip = Literal["tianjicx", "tianjic2019"]
UNITS = "P08 is called once a unit on the same sums; P02 adds its spikes up and P06 cuts the sum to int8"
FEWER = "fewer inputs, smaller kernels or fewer channels lower that"


@final
@dataclass(frozen=True)
class TianjicX(Profile):
    """160 cores with 128 KiB for everything that a layer keeps.

    Bytes of a core: weights in the order of memory (inputs filled up to 16, outputs to 32), the int8 inputs that its
    boxes see, int32 biases and sums (outputs filled up to 32), membrane and threshold of 4 bytes each, and int8 spikes
    (filled up to 16). A core that adds up the sums of others keeps those as well. Nothing lies over anything else,
    although a compiler may reuse sums and inputs between primitives. A neuron of several units has a threshold and an
    int8 spike for each, an int32 sum of them and an int8 count.
    ladder: whether networks are of code `ladder`.
    """

    name: ClassVar[str] = "tianjicx"
    cores: ClassVar[int] = chip.CORES
    shares_inputs: ClassVar[bool] = True
    accounting: ClassVar[str] = "BiMap's memory layout: weights, inputs, biases, sums, membranes, thresholds, spikes"
    ladder: bool = False

    @property
    def assumptions(self) -> tuple[str, ...]:  # type: ignore[override]
        return (
            "64 KiB of mem0 and 64 KiB of mem1 hold all of it; mem2, of unverified size, holds none",
            "sums of cores that share a layer's inputs are added by P02 on the first of them",
            "routing tables are not counted: their limits are not public",
            *((UNITS,) if self.ladder else ()),
        )

    @property
    def resources(self) -> tuple[Resource, ...]:
        return (Resource("bytes of memory", chip.CORE_BYTES, FEWER),)

    def most_neurons(self, block: Block) -> int:
        return chip.CORE_BYTES // 8

    def use(self, load: Load) -> tuple[int, ...]:
        channels, *space = load.box
        places = prod(space)
        outputs = chip.padded(channels, chip.OUTPUT_GROUP)
        weights = sum(_weights(arriving) for arriving in load.arriving)
        inputs = sum(_inputs(arriving, load.parts) for arriving in load.arriving)
        sums = 4 * outputs * places
        if not load.soma:
            return (weights + inputs + sums,)
        units, spikes = load.block.units, chip.padded(channels, chip.INPUT_GROUP) * places
        neurons = 4 * (1 + units) * channels * places + units * spikes
        neurons += sums + spikes if units > 1 else 0
        return (weights + inputs + 4 * outputs + load.parts * sums + neurons,)


def _weights(arriving: Arriving) -> int:
    """Bytes of weights: a call for each group of channels."""
    projection = arriving.projection
    if projection.geometry.kind == "dense":
        ((outputs, rows),) = arriving.axes[0]
        return chip.padded(outputs, chip.OUTPUT_GROUP) * _rows(projection, rows)
    inside = min(projection.inside, max(number for _, number in arriving.axes[0]))
    each = projection.copies * chip.padded(inside, chip.INPUT_GROUP) * prod(projection.kernel)
    calls = sum(-(-number // inside) * chip.padded(outputs, chip.OUTPUT_GROUP) for outputs, number in arriving.axes[0])
    return calls * each


def _inputs(arriving: Arriving, parts: int) -> int:
    """Bytes of the inputs that a core sees."""
    projection = arriving.projection
    sources = sum(number for _, number in arriving.axes[0])
    if projection.geometry.kind == "dense":
        return _rows(projection, sources)
    return projection.copies * chip.padded(sources, chip.INPUT_GROUP) * arriving.places


def _rows(projection: Projection, sources: int) -> int:
    """Rows of a dense weight for so many of its inputs, which lie pixel by pixel, channels filled up."""
    channels = projection.geometry.source[0]
    filled = -(-sources * chip.padded(channels, chip.INPUT_GROUP) // channels)
    return projection.copies * chip.padded(filled, chip.INPUT_GROUP)


@final
@dataclass(frozen=True)
class Tianjic2019(Profile):
    """The chip of Pei et al. 2019 as a model of its resources: 156 cores of 256 neurons and 256 inputs each.

    weight_bits, state_bytes: of a weight and of a neuron's state; their widths on the chip are not public.
    ladder: whether networks are of code `ladder`: each unit is a neuron then.
    """

    name: ClassVar[str] = "tianjic2019"
    cores: ClassVar[int] = 156
    shares_inputs: ClassVar[bool] = True
    accounting: ClassVar[str] = "256 neurons, 256 inputs, 22 KiB: a weight for each pair of them, state of each neuron"
    weight_bits: int = 8
    state_bytes: int = 4
    ladder: bool = False

    @property
    def assumptions(self) -> tuple[str, ...]:  # type: ignore[override]
        return (
            f"unverified: weights of {self.weight_bits} bits and {self.state_bytes} bytes of state a neuron; at 8 bits "
            "256 x 256 weights exceed 22 KiB",
            "unverified: cores that share a layer's inputs add their sums without taking inputs",
            "the tables and their arithmetic are TianjicX's; nothing is claimed of the bits of the chip of 2019",
            *(("unverified: the count of a neuron's units is sent as one 8-bit activation",) if self.ladder else ()),
        )

    @property
    def resources(self) -> tuple[Resource, ...]:
        return (
            Resource("neurons", 256, FEWER),
            Resource("inputs", 256, FEWER),
            Resource("bytes of memory", 22 << 10, FEWER),
        )

    def most_neurons(self, block: Block) -> int:
        return 256 // block.units

    def use(self, load: Load) -> tuple[int, ...]:
        neurons = load.neurons * load.block.units
        inputs = sum(arriving.sources for arriving in load.arriving)
        return neurons, inputs, -(-inputs * neurons * self.weight_bits // 8) + neurons * self.state_bytes


def blocks_of(chain: Chain) -> tuple[Block, ...]:
    """The layers of a chain as they lie on cores."""
    before = (HOST, *(layer.name for layer in chain.layers))
    return tuple(_block(layer, source) for layer, source in zip(chain.layers, before[:-1], strict=True))


def ladder_blocks_of(chain: LadderChain) -> tuple[Block, ...]:
    """The layers on the chip of a chain of code `ladder`."""
    first, *others = chain.layers[1:]
    before = (layer.name for layer in chain.layers[1:])
    return (_block(first, HOST), *(_block(layer, source) for layer, source in zip(others, before, strict=False)))


def _block(layer: Layer, source: str) -> Block:
    synapse, spikers = layer.synapse, 0 if isinstance(layer, Output) else 1
    units = layer.units if isinstance(layer, UnitPopulation) else 1
    if synapse is None:
        return Block(layer.name, layer.label, layer.shape, (), spikers=spikers)
    copies, kernel = repeats_in(layer), synapse.weight.shape[2:]
    projection = Projection(source, synapse.label, synapse.geometry, kernel, copies)
    return Block(layer.name, layer.label, synapse.geometry.makes, (projection,), spikers=spikers, units=units)
