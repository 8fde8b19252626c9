"""A histogram that grows with what it is shown: constant memory, whatever the number of samples."""

from __future__ import annotations

import numpy as np

from onnx2snn.errors import DataError
from onnx2snn.ir import Array

SMALLEST = -1000  #: binary exponent of the width before any number but zero was seen


class Histogram:
    """Counts of the values of each channel in bins of equal width, a power of two, around zero.

    Bin i holds values from i w up to, not with, (i + 1) w, for i from -bins to bins - 1. A value outside doubles the
    width as often as it takes: neighbouring bins merge, so nothing is estimated anew. Once a channel is seen
    whole, its largest magnitude m lies between bins w / 2 and bins w: the **resolution** is w <= 2 m / bins.
    `bins` is a power of two. Memory: 16 `bins` bytes a channel, and three numbers.
    """

    def __init__(self, channels: int, bins: int) -> None:
        self.bins = bins
        self.counts = np.zeros((channels, 2 * bins), np.int64)
        self.exponent = np.full(channels, SMALLEST)
        self.low = np.full(channels, np.inf)
        self.high = np.full(channels, -np.inf)

    @property
    def width(self) -> Array:
        """Width of the bins of each channel."""
        return np.ldexp(1.0, self.exponent)

    @property
    def centres(self) -> Array:
        """The middle of each bin, (channels, 2 bins)."""
        return (np.arange(-self.bins, self.bins) + 0.5) * self.width[:, None]

    def add(self, values: Array) -> None:
        """Takes in values (channels, n); raises `DataError` where one is no finite number."""
        if not values.size:
            return
        if not np.isfinite(values).all():
            raise DataError("finite activations expected, found NaN or infinity")
        self.low = np.minimum(self.low, values.min(axis=1))
        self.high = np.maximum(self.high, values.max(axis=1))
        self._grow(np.maximum(np.abs(self.low), np.abs(self.high)))
        place = np.floor(values / self.width[:, None]).astype(np.int64)
        place = np.where(values < 0, np.minimum(place, -1), place) + self.bins  # where the quotient underflows
        place += (np.arange(len(values)) * 2 * self.bins)[:, None]
        self.counts += np.bincount(place.ravel(), minlength=self.counts.size).reshape(self.counts.shape)

    def _grow(self, largest: Array) -> None:
        wanted = np.frexp(largest)[1] - (self.bins.bit_length() - 1)  # largest < bins 2^wanted
        wanted = np.where(largest > 0, np.maximum(wanted, SMALLEST), SMALLEST)
        index = np.arange(-self.bins, self.bins)
        for channel in np.flatnonzero(wanted > self.exponent):
            fewer = index >> min(int(wanted[channel] - self.exponent[channel]), 62)
            merged = np.zeros(2 * self.bins, np.int64)
            np.add.at(merged, fewer + self.bins, self.counts[channel])
            self.counts[channel], self.exponent[channel] = merged, wanted[channel]

    def quantile(self, share: float) -> Array:
        """The least bin end of each channel below which at least this share (0 to 1) of its values lies.

        Never above the largest value; at most one width above the exact quantile (inverse of the distribution).
        """
        below = np.cumsum(self.counts, axis=1)
        first = np.argmax(below >= np.ceil(share * below[:, -1:]).clip(1), axis=1)
        return np.minimum((first - self.bins + 1) * self.width, self.high)
