"""The fewest cores for one block, given where the blocks behind it lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from onnx2snn.backends.chains.partition.axes import Reach
from onnx2snn.backends.chains.partition.blocks import Block
from onnx2snn.backends.chains.partition.profile import Load, Profile, Resource
from onnx2snn.backends.chains.partition.tiling import Tiling, arriving, sizes
from onnx2snn.ir import Array, Shape

Stretch = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Search:
    """Tries boxes for a block on a chip.

    entries: to how many cores each neuron sends, int64 (neurons,).  sources: the blocks that feed it, one a
    projection, None where the host does.  price: by how much destinations count against cores of the block itself.
    """

    block: Block
    profile: Profile
    entries: Array
    sources: Sequence[Block | None]
    price: float = 1.0

    def best(self) -> Tiling | None:
        """The cheapest tiling, the first of equals; None where not even single neurons fit.

        Its cost is its cores and, times the price, those that its sources need more because each of their neurons has
        so many destinations.
        """
        best, least = None, (float("inf"), 0, 0)
        most = self.profile.most_neurons(self.block)
        for space in product(*map(sizes, self.block.shape[1:])):
            if prod(space) > most:
                continue
            boxes = Tiling(self.block.shape, (max(1, most // prod(space)), *space)).boxes
            for parts in self._parts:
                if boxes * parts > least[0]:
                    break
                tiling = self._most_channels(space, parts)
                if tiling is not None and (cost := self.cost(tiling)) < least:
                    best, least = tiling, cost
        return best

    def cost(self, tiling: Tiling) -> tuple[float, int, int]:
        """See `best`; of equals the one that shares inputs less, then the one of fewer destinations."""
        limit = next((r.limit for r in self.profile.resources if r.name == self.profile.output), None)
        cores, destinations = float(tiling.cores), 0
        for projection, source in zip(self.block.projections, self.sources, strict=True):
            if source is None:
                continue
            total = prod(int(a.fan_out(s).sum()) for a, s in zip(projection.axes, tiling.box, strict=True))
            destinations += total * source.spikers
            if limit is not None:
                held = -(-source.size // self.profile.most_neurons(source))
                cores += max(0.0, self.price * (total * source.spikers / limit - held))
        return cores, tiling.parts, destinations

    def fits(self, tiling: Tiling) -> bool:
        """Whether every box fits a core."""
        if prod(tiling.box) > self.profile.most_neurons(self.block):
            return False
        limits = [resource.limit for resource in self.profile.resources]
        return all(
            need <= limit
            for load in self.hardest(tiling)
            for need, limit in zip(self.profile.use(load), limits, strict=True)
        )

    def misfits(self) -> list[tuple[Resource, int]]:
        """What a single neuron needs too much of, its inputs shared out as far as the chip can."""
        tiling = Tiling(self.block.shape, (1,) * len(self.block.shape), self._parts[-1])
        worst: dict[str, tuple[Resource, int]] = {}
        for load in self.hardest(tiling):
            for resource, need in zip(self.profile.resources, self.profile.use(load), strict=True):
                if need > max(resource.limit, worst.get(resource.name, (resource, 0))[1]):
                    worst[resource.name] = (resource, need)
        return list(worst.values())

    def hardest(self, tiling: Tiling) -> Iterator[Load]:
        """Loads such that every box needs at most as much as one of them."""
        entries = int(tiling.totals(self.entries).max())
        for stretches in product(*(self._stretches(axis, size) for axis, size in enumerate(tiling.box))):
            box = tuple(stop - start for start, stop in stretches)
            yield Load(self.block, box, arriving(self.block, stretches, tiling.parts), entries, tiling.parts)

    @cached_property
    def _parts(self) -> tuple[int, ...]:
        """Among how many cores the inputs may be shared out, ascending, those left out that make no share smaller."""
        if not self.profile.shares_inputs:
            return (1,)
        most = max((projection.inside for projection in self.block.projections), default=1)
        return tuple(sorted(-(-most // share) for share in sizes(most)))

    def _most_channels(self, space: Shape, parts: int) -> Tiling | None:
        """The tiling with the fewest cuts between channels, if any fits; the need grows with the box."""
        options = sizes(self.block.shape[0])
        if not self.fits(Tiling(self.block.shape, (1, *space), parts)):
            return None
        low, high = 0, len(options) - 1
        while low < high:
            middle = (low + high) // 2
            if self.fits(Tiling(self.block.shape, (options[middle], *space), parts)):
                high = middle
            else:
                low = middle + 1
        return Tiling(self.block.shape, (options[low], *space), parts)

    def _stretches(self, axis: int, size: int) -> list[Stretch]:
        """The stretches along an axis that see most: every other sees at most what one of them sees."""
        known: dict[tuple[int, tuple[Reach, ...]], Stretch] = {}
        length = self.block.shape[axis]
        for start in range(0, length, size):
            stop = min(start + size, length)
            reaches = tuple(p.axes[axis].reach(start, stop) for p in self.block.projections)
            known.setdefault((stop - start, reaches), (start, stop))
        kept: list[tuple[int, tuple[Reach, ...]]] = []
        for one in sorted(known, reverse=True):
            if not any(_covers(other, one) for other in kept):
                kept = [other for other in kept if not _covers(one, other)] + [one]
        return [known[key] for key in kept]


def _covers(one: tuple[int, tuple[Reach, ...]], other: tuple[int, tuple[Reach, ...]]) -> bool:
    """Whether the first has at least as many neurons and, of each projection, as many sources with so many targets."""
    return one[0] >= other[0] and all(_as_many(a, b) for a, b in zip(one[1], other[1], strict=True))


def _as_many(one: Reach, other: Reach) -> bool:
    return all(
        sum(n for t, n in one if t >= targets) >= sum(n for t, n in other if t >= targets) for targets, _ in other
    )
