"""Which neuron feeds which, and the sums that arrive."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from onnx2snn.backends.chains.tables import Record
from onnx2snn.ir import Array, Shape


class Geometry(Record):
    """Where a synapse leads. Neurons count in row-major order of (channels, *space); shapes leave out the batch.

    source: shape of the population that feeds it.  reads: shape under which the synapse sees those neurons; another
    one where the network reshapes (flattens) in between.  makes: shape of its sums.
    strides, dilations: one a spatial axis; pads: begins, then ends; all empty in a dense synapse.  groups: channels
    are cut into as many parts, each of which sees its own part of the source.
    """

    kind: Literal["conv", "dense"]
    source: Shape
    reads: Shape
    makes: Shape
    strides: Shape = ()
    pads: Shape = ()
    dilations: Shape = ()
    groups: int = 1

    def sources(self, kernel: Shape) -> Array:
        """Index of each source neuron, int64 (groups, positions, taps); as many as there are means padding.

        Taps run over the channels of the group, then the kernel in row-major order.
        """
        count = int(np.prod(self.reads))
        if self.kind == "dense":
            return np.arange(count).reshape(1, 1, -1)
        rank = len(kernel)
        ends = [(self.pads[i], self.pads[i + rank]) for i in range(rank)]
        places = np.pad(np.arange(count).reshape(self.reads), [(0, 0), *ends], constant_values=count)
        extent = tuple(d * (k - 1) + 1 for d, k in zip(self.dilations, kernel, strict=True))
        seen = sliding_window_view(places, extent, tuple(range(1, 1 + rank)))
        seen = seen[(slice(None), *(slice(None, None, step) for step in self.strides + self.dilations))]
        channels = self.reads[0] // self.groups
        positions = int(np.prod(self.makes[1:]))
        grouped = seen.reshape(self.groups, channels, positions, -1)
        return np.moveaxis(grouped, 1, 2).reshape(self.groups, positions, -1)


class Connections:
    """A synapse with its weights, ready to add up spikes.

    weight: whole numbers (out, in / groups, *kernel).
    """

    def __init__(self, geometry: Geometry, weight: Array) -> None:
        self.geometry = geometry
        self.index = geometry.sources(weight.shape[2:])
        largest = int(np.abs(weight).reshape(len(weight), -1).sum(axis=1).max(initial=0))
        kind = np.float32 if largest < 1 << 24 else np.float64  # in which the sums of single spikes are exact
        columns = weight.reshape(geometry.groups, len(weight) // geometry.groups, -1)
        self.weight = np.moveaxis(columns, 1, 2).astype(kind)

    @property
    def size(self) -> int:
        """Number of connections, padding included: what one sample needs while it is added up."""
        return self.index.size

    def gather(self, spikes: Array) -> Array:
        """What each target sees, (batch, groups, positions, taps), for `spikes` (batch, sources) of any number type."""
        if self.geometry.kind == "dense":
            return spikes[:, None, None, :]
        padded = np.concatenate([spikes, np.zeros_like(spikes[:, :1])], axis=1)
        return padded[:, self.index]

    def sum(self, spikes: Array) -> Array:
        """The weighted sums (batch, targets), int64, for single spikes (batch, sources)."""
        seen = self.gather(spikes.astype(self.weight.dtype))
        batch, groups, positions, taps = seen.shape
        sums = np.empty((batch, groups, self.weight.shape[2], positions), np.int64)
        for group in range(groups):  # one large product each: many small ones are slow
            rows = seen[:, group].reshape(-1, taps) @ self.weight[group]
            sums[:, group] = np.moveaxis(rows.reshape(batch, positions, -1), 1, 2)
        return sums.reshape(batch, -1)
