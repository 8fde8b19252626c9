"""What is placed on cores: populations and the synapses between them, in any acyclic arrangement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.backends.chains.partition.axes import Axis, Channels, Window
from onnx2snn.errors import BackendError
from onnx2snn.ir import Shape

HOST = ""  #: the source of what comes from no block


@dataclass(frozen=True)
class Projection:
    """The synapse from one block to another, or from the host.

    kernel: of a convolution, else empty.  copies: how often its input lies side by side in memory (TianjicX).
    units: of each source neuron, which have an axon each.
    """

    source: str
    label: str
    geometry: Geometry
    kernel: Shape = ()
    copies: int = 1
    units: int = 1

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """Channels first, then space; along the axes of `geometry.reads` and `geometry.makes`."""
        g, rank = self.geometry, len(self.kernel)
        channels = Channels(g.reads[0], g.makes[0], g.groups)
        windows = [
            Window(g.reads[i + 1], g.makes[i + 1], self.kernel[i], g.strides[i], g.pads[i], g.dilations[i])
            for i in range(rank)
        ]
        return (channels, *windows)

    @property
    def inside(self) -> int:
        """Source channels that one target sees; all sources in a dense synapse."""
        return self.geometry.reads[0] // self.geometry.groups


@dataclass(frozen=True, eq=False)
class Block:
    """A population as it lies on cores.

    shape: (channels, *space), the sums that its synapses make.  projections: what reaches it from other blocks; none
    where the host drives it.  compartments: of one neuron; targets: those of them that a synapse reaches, lying side
    by side where all do; spikers: those that send spikes on (0: a readout).  resets: weights of the synapse from a
    neuron to itself.  thresholds: distinct ones.  units: comparisons of one neuron where no compartments stand for
    them.
    """

    name: str
    label: str
    shape: Shape
    projections: tuple[Projection, ...]
    compartments: int = 1
    targets: int = 1
    spikers: int = 1
    resets: int = 0
    thresholds: int = 1
    units: int = 1

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))


def check_blocks(blocks: Sequence[Block]) -> None:
    """Raises `BackendError` unless every projection comes from a block before and makes its block's sums."""
    known: dict[str, Block] = {}
    for block in blocks:
        for projection in block.projections:
            source, geometry = known.get(projection.source), projection.geometry
            if source is None and projection.source != HOST:
                raise BackendError(f"{projection.label}: a block before {block.name} expected, not {projection.source}")
            if geometry.makes != block.shape:
                raise BackendError(f"{projection.label}: sums {block.shape} expected, found {geometry.makes}")
            if source is not None and int(np.prod(geometry.reads)) != source.size:
                raise BackendError(f"{projection.label} reads {geometry.reads} of {source.size} neurons")
        if block.name in known:
            raise BackendError(f"two blocks are named {block.name}")
        known[block.name] = block
