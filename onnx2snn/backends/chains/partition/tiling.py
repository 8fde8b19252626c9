"""Cutting a block into boxes of one size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np

from onnx2snn.backends.chains.partition.blocks import Block
from onnx2snn.backends.chains.partition.profile import Arriving
from onnx2snn.ir import Array, Shape


@dataclass(frozen=True)
class Tiling:
    """Boxes of `box` neurons, the last of each axis perhaps smaller, in row-major order over (channels, *space).

    parts: cores of one box, among which the inputs of its neurons are shared out.
    """

    shape: Shape
    box: Shape
    parts: int = 1

    @cached_property
    def grid(self) -> Shape:
        """Number of boxes along each axis."""
        return tuple(-(-n // size) for n, size in zip(self.shape, self.box, strict=True))

    @property
    def boxes(self) -> int:
        """Number of boxes."""
        return prod(self.grid)

    @property
    def cores(self) -> int:
        """Number of cores."""
        return self.boxes * self.parts

    def stretches(self) -> Iterator[tuple[tuple[int, int], ...]]:
        """Start and stop along each axis, box after box."""
        axes = [
            [(start, min(start + size, n)) for start in range(0, n, size)]
            for n, size in zip(self.shape, self.box, strict=True)
        ]
        yield from product(*axes)

    def box_of_neurons(self) -> Array:
        """In which box each neuron lies, int64 (neurons,), row-major over `shape`."""
        found = np.zeros((), np.int64)
        for n, size, count in zip(self.shape, self.box, self.grid, strict=True):
            found = found[..., None] * count + np.arange(n) // size
        return found.reshape(-1)

    def totals(self, values: Array) -> Array:
        """Sums of `values` (neurons,) over the boxes, int64 (boxes,)."""
        found = values.reshape(self.shape)
        for axis, (n, size) in enumerate(zip(self.shape, self.box, strict=True)):
            found = np.add.reduceat(found, np.arange(0, n, size), axis=axis)
        return found.reshape(-1)


def sizes(length: int) -> tuple[int, ...]:
    """The sizes of box that cut an axis into different numbers of boxes, largest first."""
    found = {-(-length // pieces) for pieces in range(1, length + 1)}
    return tuple(sorted(found, reverse=True))


def fan_out(tiling: Tiling, block: Block, source: str, weight: int = 1) -> Array:
    """To how many boxes of a block each neuron of a source sends, times `weight`, int64 (sources,)."""
    found = np.zeros(1, np.int64)
    for projection in block.projections:
        if projection.source != source:
            continue
        each = np.ones((), np.int64)
        for axis, size in zip(projection.axes, tiling.box, strict=True):
            each = each[..., None] * axis.fan_out(size)
        found = found + each.reshape(-1) * weight
    return found


def arriving(block: Block, stretch: tuple[tuple[int, int], ...], parts: int) -> tuple[Arriving, ...]:
    """What reaches a box, the largest of `parts` shares of its inputs."""
    found: list[Arriving] = []
    for projection in block.projections:
        channels, *space = (axis.reach(*ends) for axis, ends in zip(projection.axes, stretch, strict=True))
        shared = tuple((targets, -(-number // parts)) for targets, number in channels)
        found.append(Arriving(projection, (shared, *space)))
    return tuple(found)
