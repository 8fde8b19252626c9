"""What a chip's core holds, and what a part of a block asks of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import ClassVar

from onnx2snn.backends.chains.partition.axes import Reach
from onnx2snn.backends.chains.partition.blocks import Block, Projection
from onnx2snn.ir import Shape


@dataclass(frozen=True)
class Resource:
    """One of a core's resources: what it is called and how much of it there is.

    advice: what lowers the need.  grows: whether a larger part of a block needs more of it.
    """

    name: str
    limit: int
    advice: str
    grows: bool = True


@dataclass(frozen=True)
class Arriving:
    """What of a projection one core takes: its reach along each axis, channels first."""

    projection: Projection
    axes: tuple[Reach, ...]

    @property
    def sources(self) -> int:
        """Number of source neurons."""
        return prod(sum(number for _, number in axis) for axis in self.axes)

    @property
    def axons(self) -> int:
        """Number of their units."""
        return self.sources * self.projection.units

    @property
    def places(self) -> int:
        """Source places, channels not counted."""
        return prod(sum(number for _, number in axis) for axis in self.axes[1:])

    def fans(self) -> Iterator[tuple[int, int, int]]:
        """(number of source neurons, places of targets that each has, channels of targets at each place)."""
        for (channels, number), *space in product(*self.axes):
            yield number * prod(n for _, n in space), prod(m for m, _ in space), channels


@dataclass(frozen=True)
class Load:
    """What one core is asked to hold.

    box: shape of the neurons on it.  entries: cores to which its neurons send spikes, added up over the neurons.
    parts: cores among which the inputs of these neurons are shared out.  soma: whether this is the one of them that
    adds the sums up and holds the neurons.
    """

    block: Block
    box: Shape
    arriving: tuple[Arriving, ...]
    entries: int
    parts: int = 1
    soma: bool = True

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return prod(self.box)


class Profile(ABC):
    """A chip as the partitioner sees it.

    cores: of one chip.  remote: entries that one destination on another chip takes.  shares_inputs: whether cores can
    add up the sums of others, so that the inputs of a neuron may be shared out.  output: the resource that entries
    for destinations take, if one does.  accounting: how resources are counted, in words, with its sources.
    assumptions: what of it is not documented by anyone.
    """

    name: ClassVar[str]
    cores: ClassVar[int]
    remote: ClassVar[int] = 1
    shares_inputs: ClassVar[bool] = False
    output: ClassVar[str | None] = None
    accounting: ClassVar[str]
    assumptions: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def resources(self) -> tuple[Resource, ...]:
        """What is counted."""

    @abstractmethod
    def most_neurons(self, block: Block) -> int:
        """The most neurons of a block that a core can hold, whatever else limits it."""

    @abstractmethod
    def use(self, load: Load) -> tuple[int, ...]:
        """How much of each resource a load takes, in the order of `resources`; grows with the box."""
