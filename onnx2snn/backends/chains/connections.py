"""The sums that arrive at a layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.ir import Array

COLUMN_BYTES = 2 << 20  #: of what targets see at a time: it stays in the cache until it is multiplied
NARROW = 1 << 29  #: three whole numbers below it add up in int32


class Connections:
    """A synapse with its weights, ready to add up spikes.

    weight: whole numbers (out, in / groups, *kernel).  most: spikes of a source in one tick.  narrow: whether sums may
    come in int32, which they do where all of them stay below 2^29.
    """

    def __init__(self, geometry: Geometry, weight: Array, most: int = 1, narrow: bool = False) -> None:
        self.geometry = geometry
        self.index = np.ascontiguousarray(geometry.sources(weight.shape[2:]).swapaxes(1, 2))
        largest = most * int(np.abs(weight).reshape(len(weight), -1).sum(axis=1).max(initial=0))
        exact = np.float32 if largest < 1 << 24 else np.float64  # in which sums are exact
        self.kind = np.int32 if narrow and largest < NARROW else np.int64
        self.weight = weight.reshape(geometry.groups, len(weight) // geometry.groups, -1).astype(exact)

    def gather(self, spikes: Array) -> Array:
        """What each target sees, (batch, groups, positions, taps), for `spikes` (batch, sources) of any number type."""
        padded = np.concatenate([spikes, np.zeros_like(spikes[:, :1])], axis=1)
        return padded[:, self.index.swapaxes(1, 2)]

    def sum(self, spikes: Array) -> Array:
        """The weighted sums (batch, targets), int64 or narrow, for the spikes of a tick (batch, sources).

        The samples of a target lie side by side in memory (Fortran order): what targets see is then copied in whole
        rows, and one large product makes the sums of many. Whatever is worked out from the sums element by element
        keeps that order, so that the spikes of the next tick come in it; in any other order they take a little longer.
        """
        batch = len(spikes)
        sources = np.zeros((spikes.shape[1] + 1, batch), self.weight.dtype)  # the last is padding
        sources[:-1] = spikes.T
        groups, taps, positions = self.index.shape
        sums = np.empty((groups, self.weight.shape[1], positions, batch), self.kind)
        for group, part, seen in self._columns(sources):
            sums[group, :, part] = (self.weight[group] @ seen.reshape(taps, -1)).reshape(-1, seen.shape[1], batch)
        return sums.reshape(-1, batch).T

    def _columns(self, sources: Array) -> Iterator[tuple[int, slice, Array]]:
        """What the targets of a group see at some positions, (taps, positions, batch), for `sources` with padding."""
        groups, taps, positions = self.index.shape
        if self.geometry.kind == "dense":
            yield 0, slice(None), sources[:-1, None]
            return
        together = max(1, COLUMN_BYTES // (taps * sources[0].nbytes))
        for group in range(groups):
            for start in range(0, positions, together):
                part = slice(start, start + together)
                yield group, part, sources.take(self.index[group, :, part], axis=0)


def narrowed(x: Array) -> Array:
    """The same whole numbers in int32 where all of them stay below 2^29, else as they are."""
    return x.astype(np.int32) if x.size and x.min() > -NARROW and x.max() < NARROW else x
