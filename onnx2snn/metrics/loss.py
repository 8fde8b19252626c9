"""Spikes lost on the way: each with a probability of its own, and the neuron that sent it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array
from onnx2snn.metrics.philox import philox

ALL = 1 << 32  #: random words


@dataclass(frozen=True)
class SpikeLoss:
    """Loses each spike with the same probability, independently (a `Channel`).

    Of several spikes that one neuron sends in one tick each is lost or not by itself (binomial thinning).
    numbers: the number of each population whose spikes may be lost.  first: the sample that a run begins with.
    Whether a spike is lost is a function of seed, repeat, population, sample, tick, neuron and which of its spikes it
    is, and of nothing else: neither of batches, chunks and blocks nor of how many processes share the samples.
    """

    probability: float
    numbers: Mapping[str, int]
    seed: int = 0
    repeat: int = 0
    first: int = 0

    def carry(self, name: str, sample: int, tick: int, train: Array) -> Array:
        if name not in self.numbers:
            return train
        number, start = self.numbers[name], self.first + sample
        return np.stack([self._thinned(number, start, tick + t, spikes) for t, spikes in enumerate(train)])

    def _thinned(self, number: int, sample: int, tick: int, spikes: Array) -> Array:
        """One tick of a population (batch, *features), less the spikes that are lost."""
        flat = spikes.reshape(len(spikes), -1)
        rows, entries = np.nonzero(flat)
        sizes = np.abs(flat[rows, entries]).astype(np.int64)
        owners = np.repeat(np.arange(len(sizes)), sizes)
        places = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        counter = (entries[owners], np.asarray(tick), rows[owners] + sample, places + (number << 16))
        lost = philox(counter, (self.seed, self.repeat))[0] < self.probability * ALL
        kept = sizes - np.bincount(owners[lost], minlength=len(sizes))
        result = flat.copy()
        result[rows, entries] = np.sign(flat[rows, entries]) * kept
        return result.reshape(spikes.shape)
