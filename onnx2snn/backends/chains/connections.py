"""The sums that arrive at a layer."""

from __future__ import annotations

import numpy as np

from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.ir import Array


class Connections:
    """A synapse with its weights, ready to add up spikes.

    weight: whole numbers (out, in / groups, *kernel).  most: spikes of a source in one tick.
    """

    def __init__(self, geometry: Geometry, weight: Array, most: int = 1) -> None:
        self.geometry = geometry
        self.index = geometry.sources(weight.shape[2:])
        largest = most * int(np.abs(weight).reshape(len(weight), -1).sum(axis=1).max(initial=0))
        kind = np.float32 if largest < 1 << 24 else np.float64  # in which sums are exact
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
        """The weighted sums (batch, targets), int64, for the spikes of a tick (batch, sources)."""
        seen = self.gather(spikes.astype(self.weight.dtype))
        batch, groups, positions, taps = seen.shape
        sums = np.empty((batch, groups, self.weight.shape[2], positions), np.int64)
        for group in range(groups):  # one large product each: many small ones are slow
            rows = seen[:, group].reshape(-1, taps) @ self.weight[group]
            sums[:, group] = np.moveaxis(rows.reshape(batch, positions, -1), 1, 2)
        return sums.reshape(batch, -1)
