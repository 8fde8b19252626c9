"""The assignment of a network to cores: block after block from the last to the first.

A core holds neurons of one block. Cutting a block into k boxes gives every neuron before it up to k destinations, and
each takes an entry among the output axons of its own core; so the blocks behind are cut first, and a block is cut
with the destinations of its neurons known. Cores are numbered from the first block to the last, chips filled from the
end. Where two blocks do not lie on one chip, every destination between them is counted as one on another chip.
The work grows with the boxes tried and the neurons, not with the synapses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnx2snn.backends.chains.partition.blocks import Block, check_blocks
from onnx2snn.backends.chains.partition.profile import Load, Profile
from onnx2snn.backends.chains.partition.refusal import refusal
from onnx2snn.backends.chains.partition.search import Search
from onnx2snn.backends.chains.partition.tiling import Tiling, arriving, fan_out
from onnx2snn.errors import BackendError
from onnx2snn.ir import Array

PRICES = (1.0, 2.0, 4.0, 8.0)  #: of destinations, tried one after the other


@dataclass(frozen=True, eq=False)
class Placed:
    """A block on its cores.  first: number of its first core.  use: int64 (cores, resources)."""

    block: Block
    tiling: Tiling
    first: int
    use: Array

    def core_of_neurons(self) -> Array:
        """The core that holds each neuron, int64 (neurons,), row-major over the block's shape."""
        return self.first + self.tiling.box_of_neurons() * self.tiling.parts


@dataclass(frozen=True, eq=False)
class Partition:
    """A network on the cores of a chip or of several."""

    profile: Profile
    placed: tuple[Placed, ...]

    @property
    def cores(self) -> int:
        """Number of cores."""
        return sum(each.tiling.cores for each in self.placed)

    @property
    def chips(self) -> int:
        """Number of chips."""
        return -(-self.cores // self.profile.cores)


@dataclass
class _Tail:
    """A block that is placed, counted from the end: its last core is `start`."""

    block: Block
    tiling: Tiling
    start: int
    entries: Array


def partition(blocks: Sequence[Block], profile: Profile) -> Partition:
    """Places all blocks, given in topological order; raises `BackendError` where one cannot be placed.

    How dear destinations are shows only when the blocks before are cut, which have sources themselves: a few prices
    are tried, and the first that takes the fewest cores is kept.
    """
    check_blocks(blocks)
    found: list[tuple[int, dict[str, _Tail]]] = []
    refused: list[BackendError] = []
    for price in PRICES if profile.output is not None else PRICES[:1]:
        try:
            found.append(_at(price, blocks, profile))
        except BackendError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    cores, tails = min(found, key=lambda placing: placing[0])
    return Partition(profile, tuple(_counted(tails[block.name], cores, profile) for block in blocks))


def _at(price: float, blocks: Sequence[Block], profile: Profile) -> tuple[int, dict[str, _Tail]]:
    """All blocks placed, with the number of cores that they take."""
    named = {block.name: block for block in blocks}
    tails: dict[str, _Tail] = {}
    used = 0
    for block in reversed(blocks):
        readers = [tail for tail in tails.values() if any(p.source == block.name for p in tail.block.projections)]
        search = Search(
            block, profile, _entries(block, readers, 1), [named.get(p.source) for p in block.projections], price
        )
        tails[block.name] = _placed(search, readers, used)
        used += tails[block.name].tiling.cores
    return used, tails


def _placed(search: Search, readers: Sequence[_Tail], start: int) -> _Tail:
    block, profile = search.block, search.profile
    tiling = search.best()
    if tiling is not None:
        apart = [_chip(start + tiling.cores - 1, profile) != _chip(tail.start, profile) for tail in readers]
        if profile.remote == 1 or not any(apart):
            return _Tail(block, tiling, start, search.entries)
    search = replace(search, entries=_entries(block, readers, profile.remote))
    tiling = search.best()
    if tiling is None:
        behind = [f"{tail.block.label} behind it lies on {tail.tiling.cores} cores" for tail in readers]
        raise refusal(search, behind)
    return _Tail(block, tiling, start, search.entries)


def _entries(block: Block, readers: Sequence[_Tail], weight: int) -> Array:
    found = np.zeros(block.size, np.int64)
    for tail in readers:
        found += fan_out(tail.tiling, tail.block, block.name, weight)
    return found


def _chip(core_from_end: int, profile: Profile) -> int:
    return core_from_end // profile.cores


def _counted(tail: _Tail, cores: int, profile: Profile) -> Placed:
    block, tiling = tail.block, tail.tiling
    totals = tiling.totals(tail.entries)
    known: dict[Load, tuple[int, ...]] = {}
    rows: list[tuple[int, ...]] = []
    for stretches, entries in zip(tiling.stretches(), totals.tolist(), strict=True):
        box = tuple(stop - start for start, stop in stretches)
        reached = arriving(block, stretches, tiling.parts)
        for part in range(tiling.parts):
            load = Load(block, box, reached, entries if part == 0 else 0, tiling.parts, part == 0)
            if load not in known:
                known[load] = profile.use(load)
            rows.append(known[load])
    first = cores - tail.start - tiling.cores
    return Placed(block, tiling, first, np.array(rows, np.int64).reshape(len(rows), -1))
