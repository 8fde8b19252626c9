"""What a core of Loihi holds, and what a population asks of it.

Sources: nengo-loihi (MAX_COMPARTMENTS, MAX_IN_AXONS, MAX_OUT_AXONS, MAX_SYNAPSE_BITS, MAX_VTH_CFGS) and Intel's NxTF
(maxNumSynMemWordsPerAxon, maxNumSynPerSynEntry, maxNumSynFmt), which agree where both say something.

Synaptic memory is counted as NxTF does. An axon has a list of entries of at most 60 synapses; an entry begins with 10
bits, and with the number of its first compartment unless every synapse has one of its own; a synapse has 8 bits of
weight, and 2 of skip where every second compartment is a target (a dendrite and its soma stand side by side). Of both
forms, runs of neighbours and single synapses, the smaller is counted. An axon takes ceil(bits / 64) words of 64 bits,
one more where bits mod 64 is 0 or at least 59. nengo-loihi counts otherwise: no skips, blocks of 64 synapses each
filled up to whole words; a list of 1,000 synapses takes 141 words there, 131 here.

Weights are not shared. NxTF lets axons of a convolution use one list at several places through population axons, but
not with soft reset, which takes discrete axons: every source neuron has a list of its own on every core that it
reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, final

from onnx2snn.backends.chains import Chain, LadderChain, Layer, Output, Population, Synapse, UnitPopulation
from onnx2snn.backends.chains.partition import HOST, Block, Load, Profile, Projection, Resource
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.chip import Chip
from onnx2snn.backends.loihi.ladder.sums import parts_of
from onnx2snn.backends.loihi.tables import compartments_of, resets_of

WORD_BITS, WORDS = 64, 16383  #: of synaptic memory; NxTF keeps one of the 16384 words free
PREFIX_BITS, WEIGHT_BITS, SKIP_BITS = 10, 8, 2
ENTRY_SYNAPSES = 60
LEAST_INDEX_BITS = 6  #: of a compartment's number; 6 to 10 are legal on Loihi 1
UPDATE_GROUP = 4  #: compartments are updated, and so counted, in groups
AXONS, AXON_WORDS, THRESHOLDS, FORMATS = 4096, 256, 8, 7

RESOURCES = (
    Resource("compartments", chip.COMPARTMENTS, "fewer neurons in it lower that"),
    Resource("input axons", AXONS, "fewer inputs lower that: a stride or pooling before it, or fewer channels there"),
    Resource("output axons", AXONS, "fewer neurons or channels behind it lower that, so that they lie on fewer cores"),
    Resource("words of synaptic memory", WORDS, "fewer inputs or smaller kernels lower that"),
    Resource("words for one axon", AXON_WORDS, "fewer channels behind it lower that"),
    Resource(
        "threshold profiles", THRESHOLDS, "fewer distinct thresholds: scales of weights for a whole tensor", False
    ),
    Resource("synapse formats", FORMATS, "fewer synapses of different exponents lower that", False),
)


@final
class Loihi1(Profile):
    """128 cores of 1024 compartments, discrete axons."""

    name: ClassVar[str] = "loihi1"
    cores: ClassVar[int] = chip.CORES
    remote: ClassVar[int] = 2
    output: ClassVar[str | None] = "output axons"
    accounting: ClassVar[str] = (
        "nengo-loihi's and NxTF's limits, NxTF's count of synaptic memory, discrete axons, no weights shared"
    )

    @property
    def resources(self) -> tuple[Resource, ...]:
        return RESOURCES

    def most_neurons(self, block: Block) -> int:
        return chip.COMPARTMENTS // block.compartments

    def use(self, load: Load) -> tuple[int, ...]:
        block = load.block
        compartments = -(-load.neurons * block.compartments // UPDATE_GROUP) * UPDATE_GROUP
        own = load.neurons if block.resets else 0  # a synapse from each neuron to itself
        resets = words_of(block.resets * (PREFIX_BITS + WEIGHT_BITS + index_bits(compartments)))
        words, longest = lists(load, compartments)
        formats = (1 if block.targets == block.compartments else 2) * len(load.arriving) + block.resets
        return (
            compartments,
            sum(arriving.axons for arriving in load.arriving) + own,
            load.entries * block.spikers + own,
            words + own * resets,
            max(longest, resets if own else 0),
            block.thresholds,
            formats,
        )


@final
@dataclass(frozen=True)
class Loihi2(Profile):
    """128 cores of at most 8192 neurons with custom microcode; its memory is counted by assumptions.

    code: neurons of code `ladder` send counts, those of the others single spikes.
    """

    name: ClassVar[str] = "loihi2"
    cores: ClassVar[int] = chip.CORES
    output: ClassVar[str | None] = "bytes of memory"
    accounting: ClassVar[str] = "192 KiB of memory a core, at most 128 KiB of it synaptic; words of lists as on Loihi 1"
    neurons: ClassVar[int] = 8192
    bytes_of_memory: ClassVar[int] = 192 << 10
    code: str = "if"

    @property
    def graded(self) -> bool:
        """Whether spikes carry counts."""
        return self.code == "ladder"

    @property
    def assumptions(self) -> tuple[str, ...]:  # type: ignore[override]
        neuron = (
            "a neuron's microcode compares its sum with all of its breakpoints, 4 bytes each, and sends the number "
            "that passed as one graded spike; Intel's tools for it are not public"
            if self.graded
            else "a soft reset is custom neuron microcode, for which Intel's tools are not public"
        )
        return (
            neuron,
            "no axon limits and no packing rules are public: 16 bytes a neuron, 8 an input axon, 8 an output axon and "
            "256 of program are assumed (SANA-FE's figures), lists of synapses as on Loihi 1, destinations on other "
            "chips counted once",
            "synaptic sums, membranes, biases and thresholds are kept within Loihi 1's word lengths",
            *(() if self.graded else (f"spikes are binary: code {self.code} needs no graded ones",)),
            "128 cores of a chip are used; some documents speak of 120",
        )

    @property
    def resources(self) -> tuple[Resource, ...]:
        fewer = "fewer inputs, smaller kernels or fewer channels lower that"
        return (
            Resource("neurons", self.neurons, "fewer neurons in it lower that"),
            Resource("words of synaptic memory", WORDS + 1, fewer),
            Resource("bytes of memory", self.bytes_of_memory, fewer),
        )

    def most_neurons(self, block: Block) -> int:
        return self.neurons // block.compartments

    def use(self, load: Load) -> tuple[int, ...]:
        compartments = load.neurons * load.block.compartments
        words, _ = lists(load, compartments)
        axons = sum(arriving.axons for arriving in load.arriving) + load.entries * load.block.spikers
        compared = 4 * load.neurons * load.block.units if self.graded else 0
        return compartments, words, 256 + 16 * compartments + compared + 8 * (axons + words)


def lists(load: Load, compartments: int) -> tuple[int, int]:
    """Words that the lists of all axons from other cores take, and those of the longest."""
    block = load.block
    spread, index = block.targets != block.compartments, index_bits(compartments)
    total = longest = 0
    for arriving in load.arriving:
        for sources, runs, neurons in arriving.fans():
            words = list_words(runs, neurons, block.targets, spread, index)
            axons = sources * arriving.projection.units
            total, longest = total + axons * words, max(longest, words)
    return total, longest


def index_bits(compartments: int) -> int:
    """The legal width of the numbers of so many compartments."""
    return max(LEAST_INDEX_BITS, (compartments - 1).bit_length())


def words_of(bits: int) -> int:
    """Words that the list of an axon takes."""
    return -(-bits // WORD_BITS) + (bits % WORD_BITS == 0 or bits % WORD_BITS >= 59)


@lru_cache(maxsize=1 << 14)
def list_words(runs: int, neurons: int, targets: int, spread: bool, index: int) -> int:
    """Words for `runs` runs of so many neighbouring neurons, of each of which `targets` compartments are reached.

    spread: whether other compartments stand between them.
    """
    run = neurons * targets
    each = WEIGHT_BITS + (SKIP_BITS if spread else 0)
    neighbours = runs * (-(-run // ENTRY_SYNAPSES) * (PREFIX_BITS + index) + run * each)
    synapses = runs * run
    single = -(-synapses // ENTRY_SYNAPSES) * PREFIX_BITS + synapses * (WEIGHT_BITS + index)
    return words_of(min(neighbours, single))


def blocks_of(chain: Chain, version: Chip) -> tuple[Block, ...]:
    """The layers of a chain as they lie on cores."""
    before = (HOST, *(layer.name for layer in chain.layers))
    return tuple(_block(layer, source, version) for layer, source in zip(chain.layers, before[:-1], strict=True))


def _block(layer: Layer, source: str, version: Chip) -> Block:
    synapse = layer.synapse
    resets = len(resets_of(layer, version)[1]) if isinstance(layer, Population) and version == "loihi1" else 0
    return Block(
        layer.name,
        layer.label,
        layer.shape if synapse is None else synapse.geometry.makes,
        () if synapse is None else (_projection(synapse, source, 1),),
        compartments=compartments_of(layer, version) // layer.size,
        spikers=1 if isinstance(layer, Population) else 0,
        resets=resets,
    )


def ladder_blocks_of(chain: LadderChain, version: Chip) -> tuple[Block, ...]:
    """The layers on the chip of a chain of code `ladder`; graded spikes need one compartment and one axon a neuron."""
    graded = version == "loihi2"
    found: list[Block] = []
    for before, layer in pairwise(chain.layers):
        found.append(_units(layer, before.name if found else HOST, graded))
    return tuple(found)


def _units(layer: UnitPopulation | Output, source: str, graded: bool) -> Block:
    synapse = layer.synapse
    assert synapse is not None
    if isinstance(layer, Output):
        projections = (_projection(synapse, source, 1 if graded else synapse.units),)
        parts = parts_of(layer)  # each source reaches one of an output's compartments
        return Block(layer.name, layer.label, synapse.geometry.makes, projections, compartments=parts, spikers=0)
    units = layer.units
    compartments = 1 if graded else units
    return Block(
        layer.name,
        layer.label,
        synapse.geometry.makes,
        (_projection(synapse, source, 1 if graded else synapse.units),),
        compartments=compartments,
        targets=compartments,
        spikers=compartments,
        units=units,
    )


def _projection(synapse: Synapse, source: str, units: int) -> Projection:
    return Projection(source, synapse.label, synapse.geometry, synapse.weight.shape[2:], units=units)


def profile_of(version: Chip, code: str) -> Profile:
    """The chip that networks of a code are placed on."""
    return Loihi1() if version == "loihi1" else Loihi2(code)
