"""A population of neurons by itself."""

from __future__ import annotations

import numpy as np

from onnx2snn.backends.numpy.drive import Drive
from onnx2snn.backends.numpy.populations import Population
from onnx2snn.ir.ops import STBIF


def test_counts_of_sixteen_bits_and_more() -> None:
    steps = 70_000
    neuron = STBIF(theta=np.asarray(1), v0=np.asarray(0), bias=np.asarray(0), value=np.asarray(1), lo=0, hi=2**16)
    population = Population(neuron, np.dtype(np.int64), (1, 2), steps)
    population.advance(Drive(np.dtype(np.int64), 0, parts=(np.ones((1, 2), np.int64),), ends=steps), 0, steps, steps)
    assert (population.counts == 2**16).all()
