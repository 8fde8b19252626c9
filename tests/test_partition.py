"""Blocks on cores: compared with an enumeration of every synapse, and with partitions worked out by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.backends.chains import Geometry
from onnx2snn.backends.chains.partition import (
    Block,
    Load,
    Partition,
    Placed,
    Profile,
    Projection,
    Resource,
    partition,
    record_of,
)
from onnx2snn.backends.chains.partition.tiling import Tiling, sizes
from onnx2snn.backends.loihi.cores import Loihi1, Loihi2, index_bits, list_words, words_of
from onnx2snn.backends.tianjic.cores import Tianjic2019, TianjicX
from onnx2snn.errors import BackendError

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Counting(Profile):
    """Counts neurons, input axons, output axons and synapses, nothing else."""

    name: ClassVar[str] = "counting"
    cores: ClassVar[int] = 4
    output: ClassVar[str | None] = "outputs"
    accounting: ClassVar[str] = "one of each"
    limits: tuple[int, int, int, int] = (24, 600, 400, 2000)

    @property
    def resources(self) -> tuple[Resource, ...]:
        names = ("neurons", "inputs", "outputs", "synapses")
        return tuple(Resource(name, limit, "less helps") for name, limit in zip(names, self.limits, strict=True))

    def most_neurons(self, block: Block) -> int:
        return self.limits[0]

    def use(self, load: Load) -> tuple[int, ...]:
        fans = [fan for arriving in load.arriving for fan in arriving.fans()]
        synapses = sum(number * places * channels for number, places, channels in fans)
        return load.neurons, sum(a.sources for a in load.arriving), load.entries * load.block.spikers, synapses


class FarAway(Counting):
    """The same with destinations on other chips counted twice."""

    remote: ClassVar[int] = 2


# -- building blocks -------------------------------------------------------------------------------------------------


def conv(source: Shape, out: int, kernel: int = 3, stride: int = 1, pad: int = 1, groups: int = 1) -> Geometry:
    size = tuple((n + 2 * pad - kernel) // stride + 1 for n in source[1:])
    rank = len(size)
    return Geometry(
        kind="conv",
        source=source,
        reads=source,
        makes=(out, *size),
        strides=(stride,) * rank,
        pads=(pad,) * 2 * rank,
        dilations=(1,) * rank,
        groups=groups,
    )


def dense(source: Shape, out: int) -> Geometry:
    return Geometry(kind="dense", source=source, reads=(int(np.prod(source)),), makes=(out,))


def after(block: Block, name: str, geometry: Geometry, kernel: int = 3, **fields: Any) -> Block:
    taps = () if geometry.kind == "dense" else (kernel,) * len(geometry.strides)
    return Block(name, name, geometry.makes, (Projection(block.name, name, geometry, taps),), **fields)


def host(shape: Shape, **fields: Any) -> Block:
    return Block("first", "first", shape, (), **fields)


@st.composite
def networks(draw: st.DrawFn) -> list[Block]:
    """A few convolutions, some with a branch around them, then a dense layer."""
    number = st.integers
    blocks = [host((draw(number(1, 4)) * 2, draw(number(2, 7)), draw(number(2, 7))))]
    for index in range(draw(number(1, 3))):
        source = blocks[-1]
        kernel, groups = draw(number(1, 3)), draw(st.sampled_from([1, 2]))
        if min(source.shape[1:]) + 2 < kernel:
            continue
        geometry = (
            conv(source.shape, 2 * draw(number(1, 4)), kernel, draw(number(1, 2)), draw(number(0, kernel - 1)), groups)
            if min(source.shape[1:]) >= kernel
            else conv(source.shape, 2, 1, 1, 0)
        )
        taps = kernel if min(source.shape[1:]) >= kernel else 1
        blocks.append(after(source, f"conv{index}", geometry, taps, spikers=draw(number(1, 3))))
        if draw(st.booleans()) and blocks[-1].shape[1:] == source.shape[1:]:
            skip = Projection(source.name, "skip", conv(source.shape, blocks[-1].shape[0], 1, 1, 0), (1, 1))
            joined = blocks.pop()
            again = Projection(joined.name, "again", conv(joined.shape, joined.shape[0], 1, 1, 0), (1, 1))
            blocks += [joined, Block(f"join{index}", "join", joined.shape, (again, skip))]
    blocks.append(after(blocks[-1], "readout", dense(blocks[-1].shape, draw(number(1, 9))), spikers=0))
    return blocks


# -- the enumeration -------------------------------------------------------------------------------------------------


def synapses(projection: Projection) -> list[tuple[int, int]]:
    """(source, target) of every synapse, row-major numbers, from the index of the reference."""
    geometry = projection.geometry
    index = geometry.sources(projection.kernel)
    groups, positions, _ = index.shape
    count, each = int(np.prod(geometry.reads)), geometry.makes[0] // groups
    found: list[tuple[int, int]] = []
    for group in range(groups):
        for position in range(positions):
            for source in index[group, position].tolist():
                if source < count:
                    found += [(source, (group * each + c) * positions + position) for c in range(each)]
    return found


def enumerated(found: Partition) -> dict[int, list[int]]:
    """Neurons, inputs, outputs and synapses of every core."""
    cores = {placed.block.name: placed.core_of_neurons() for placed in found.placed}
    use = {core: [0, 0, 0, 0] for core in range(found.cores)}
    sent: set[tuple[str, str, int, int]] = set()
    for placed in found.placed:
        name = placed.block.name
        for core in cores[name].tolist():
            use[core][0] += 1
        for projection in placed.block.projections:
            pairs = [(source, int(cores[name][target])) for source, target in synapses(projection)]
            for _, core in pairs:
                use[core][3] += 1
            for source, core in set(pairs):
                use[core][1] += 1
                sent.add((projection.source, projection.label, source, core))
    spikers = {placed.block.name: placed.block.spikers for placed in found.placed}
    for block, _, source, _ in sent:
        use[int(cores[block][source])][2] += spikers[block]
    return use


@settings(max_examples=60, deadline=None)
@given(networks())
def test_every_core_holds_what_an_enumeration_of_all_synapses_finds(blocks: list[Block]) -> None:
    found = partition(blocks, Counting())
    expected = enumerated(found)
    for placed in found.placed:
        for offset, use in enumerate(placed.use.tolist()):
            assert use == expected[placed.first + offset]
            assert all(u <= limit for u, limit in zip(use, Counting().limits, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    networks(),
    st.sampled_from([Counting(), FarAway(), Loihi1(), Loihi2(), TianjicX(), Tianjic2019()]),
)
def test_every_neuron_lies_on_one_core_within_all_limits(blocks: list[Block], profile: Profile) -> None:
    found = partition(blocks, profile)
    limits = [resource.limit for resource in profile.resources]
    nexts = [placed.first for placed in found.placed] + [found.cores]
    assert nexts[0] == 0
    for placed, (start, stop) in zip(found.placed, pairwise(nexts), strict=True):
        assert stop - start == placed.tiling.cores == len(placed.use)
        assert (placed.use <= limits).all()
        held = Counter(placed.core_of_neurons().tolist())
        assert sum(held.values()) == placed.block.size
        assert set(held) == set(range(start, stop, placed.tiling.parts))
    assert record_of(found) == record_of(partition(blocks, profile))


@settings(max_examples=30, deadline=None)
@given(networks())
def test_destinations_on_other_chips_take_at_most_twice_as_many_axons(blocks: list[Block]) -> None:
    found = partition(blocks, FarAway())
    chip = [core // 4 for core in reversed(range(found.cores))]  # chips are filled from the end
    cores = {placed.block.name: placed.core_of_neurons() for placed in found.placed}
    exact = [0] * found.cores
    for placed in found.placed:
        for projection in placed.block.projections:
            reached = {(s, int(cores[placed.block.name][t])) for s, t in synapses(projection)}
            spikers = next(p.block.spikers for p in found.placed if p.block.name == projection.source)
            for source, core in reached:
                own = int(cores[projection.source][source])
                exact[own] += spikers * (1 if chip[own] == chip[core] else 2)
    claimed = [use[2] for placed in found.placed for use in placed.use.tolist()]
    assert all(e <= c <= 2 * max(e, 0) for e, c in zip(exact, claimed, strict=True))


# -- by hand ---------------------------------------------------------------------------------------------------------


def placed(blocks: list[Block], profile: Profile) -> dict[str, Placed]:
    return {each.block.name: each for each in partition(blocks, profile).placed}


def test_a_dense_chain_by_hand() -> None:
    """Two cores would hold 600 neurons of two compartments, but their synapses need a third."""
    first = host((400,), compartments=2, resets=1)
    second = after(first, "second", dense((400,), 600), compartments=2, resets=1)
    found = placed([first, second, after(second, "out", dense((600,), 10), spikers=0)], Loihi1())
    assert [p.tiling.cores for p in found.values()] == [1, 3, 1]
    assert [p.first for p in found.values()] == [0, 1, 4]
    # 300 dendrites, every second compartment: 5 entries of 10 + 10 bits, 300 synapses of 8 + 2: 3100 bits, 49 words
    assert 400 * 49 + 300 > 16383
    # 200 dendrites: 4 entries of 10 + 9 bits, 200 synapses of 10: 2076 bits, 33 words; a word for each reset
    assert found["second"].tiling.box == (200,)
    assert found["second"].use.tolist() == [[400, 400 + 200, 200 + 200, 400 * 33 + 200, 33, 1, 3]] * 3
    # every neuron of the first goes to three cores and to itself
    assert found["first"].use.tolist() == [[800, 400, 400 * 3 + 400, 400, 1, 1, 1]]
    # ten compartments side by side: one entry of 10 + 6 bits, ten weights; compartments come in fours
    assert found["out"].use.tolist() == [[12, 600, 0, 600 * 2, 2, 1, 1]]


def test_a_convolution_by_hand() -> None:
    """4 x 8 x 8 neurons, 3 x 3 taps, 64 neurons a core: boxes of all channels and half rows see least."""
    first = host((2, 8, 8))
    second = after(first, "second", conv((2, 8, 8), 4))
    found = placed([first, second], Counting(limits=(64, 1000, 1000, 10_000)))
    tiling = found["second"].tiling
    assert (tiling.cores, tiling.box) == (4, (4, 4, 4))
    # a corner box sees 5 x 5 places; along an axis its 4 targets have 3 + 3 + 3 + 2 taps
    assert found["second"].use.tolist() == [[64, 2 * 25, 0, 2 * 4 * 11 * 11]] * 4
    # 2 of 8 rows, 3 to 4, are seen from both halves
    assert found["first"].use[:, 2].sum() == 2 * 10 * 10


def test_a_ladder_of_compartments_shares_its_axons() -> None:
    """Three stateless compartments a neuron: all are targets, all spike, one input axon for the three."""
    first = host((10,), compartments=3, targets=3, spikers=3)
    second = after(first, "second", dense((10,), 20), compartments=3, targets=3, spikers=3)
    found = placed([first, second, after(second, "out", dense((20,), 4), spikers=0)], Loihi1())
    # 60 compartments side by side: 10 + 6 + 480 bits
    assert found["second"].use.tolist() == [[60, 10, 20 * 3, 10 * 8, 8, 1, 1]]
    assert found["first"].use.tolist() == [[32, 0, 10 * 3, 0, 0, 1, 0]]


def test_shared_inputs_by_hand() -> None:
    """600 inputs of 256 a core: three cores for each box, the first of which holds the neurons."""
    first = host((600,))
    found = placed([first, after(first, "out", dense((600,), 40), spikers=0)], Tianjic2019(weight_bits=4))
    assert (found["out"].tiling.cores, found["out"].tiling.parts) == (3, 3)
    assert found["out"].use.tolist() == [[40, 200, 200 * 40 // 2 + 160]] * 3
    assert set(found["out"].core_of_neurons().tolist()) == {found["out"].first}


def test_tianjicx_memory_by_hand() -> None:
    first = host((20, 4, 4))
    found = placed([first, after(first, "second", conv((20, 4, 4), 40))], TianjicX())
    weights, inputs = 64 * 32 * 9, 32 * 16  # 40 outputs filled up to 64, 20 inputs to 32
    bias_and_sums = 4 * 64 + 4 * 64 * 16
    neurons = 8 * 40 * 16 + 48 * 16  # membrane and threshold; spikes filled up to 48 channels
    assert found["second"].use.tolist() == [[weights + inputs + bias_and_sums + neurons]]


def test_words_of_synaptic_memory() -> None:
    assert [words_of(bits) for bits in (1, 58, 59, 64, 65, 122, 123)] == [1, 1, 2, 2, 2, 2, 3]
    assert [index_bits(n) for n in (1, 64, 65, 1024)] == [6, 6, 7, 10]
    assert list_words(1, 1000, 1, False, 10) == 131  # 17 entries: 17 (10 + 10) + 8000 bits; nengo-loihi says 141
    assert list_words(9, 1, 1, True, 10) == 3  # single synapses: 10 + 9 (8 + 10) bits


def test_sizes_cut_into_different_numbers() -> None:
    assert sizes(10) == (10, 5, 4, 3, 2, 1)
    tiling = Tiling((4, 6), (3, 4))
    assert tiling.totals(np.ones(24, np.int64)).tolist() == [12, 6, 4, 2]
    assert list(tiling.stretches())[1] == ((0, 3), (4, 6))


# -- what does not fit -----------------------------------------------------------------------------------------------


def test_too_many_inputs_are_refused_with_what_would_help() -> None:
    first = host((5000,))
    with pytest.raises(BackendError) as caught:
        partition([first, after(first, "wide", dense((5000,), 3), compartments=2, resets=1)], Loihi1())
    assert "wide fits no core of loihi1: a single neuron needs 5001 input axons, a core has 4096" in str(caught.value)
    assert "a stride or pooling before it" in str(caught.value)
    assert "; with at most 4095 of its 5000 inputs it would fit" in str(caught.value)
    assert caught.value.lines[0] == "wide fits no core of loihi1:"
    assert caught.value.lines[-1] == "with at most 4095 of its 5000 inputs it would fit"
    first = host((512, 8, 8))
    with pytest.raises(
        BackendError, match=r"needs 4609 input axons.*; with at most 455 of its 512 channels it would fit"
    ):
        partition([first, after(first, "deep", conv(first.shape, 8), compartments=2, resets=1)], Loihi1())


def test_too_many_destinations_name_what_lies_behind() -> None:
    first = host((3,))
    second = after(first, "second", dense((3,), 4000))
    with pytest.raises(
        BackendError, match=r"needs 1000 outputs, a core has 80; .*; second behind it lies on 1000 cores"
    ):
        partition([first, second], Counting(limits=(4, 60, 80, 500)))


def test_blocks_must_follow_each_other() -> None:
    first = host((3,))
    second = after(first, "second", dense((3,), 4))
    with pytest.raises(BackendError, match="a block before second expected, not first"):
        partition([second, first], Counting())
    with pytest.raises(BackendError, match="two blocks are named first"):
        partition([first, first], Counting())
    wrong = Block("second", "second", (5,), second.projections)
    with pytest.raises(BackendError, match=r"sums \(5,\) expected, found \(4,\)"):
        partition([first, wrong], Counting())
    with pytest.raises(BackendError, match=r"reads \(3,\) of 7 neurons"):
        partition([host((7,)), second], Counting())
