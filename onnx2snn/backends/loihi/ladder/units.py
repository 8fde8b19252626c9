"""Breakpoints as biases, and biases back as breakpoints.

All units of a neuron see the same sum a, a multiple of the grid g (weights are even). In membrane units, 2^6 of which
are one of a, a unit with bias B spikes where 2^6 a + B + r > 2^6 threshold; r is what the decay leaves of the tick
before. It is to spike at a = A and not at A - g. B = 2^6 (threshold - A + g / 2) stands in the middle: it passes by
2^6 g / 2 at A and misses by as much at A - g, so any r with -2^6 g / 2 < r <= 2^6 g / 2 changes nothing.
After a spike the membrane is 0. Of a silent one, which is at most 2^6 threshold and by its floor at least
-(2^18 - 1), a decay of 4095 leaves r = v / 4096 cut toward zero, from -63 to threshold / 2^6: within the margin for
thresholds up to 2^12 g / 2. With a decay of 4096 r is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.backends.chains import UnitPopulation, canonical
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.tables import scaling
from onnx2snn.ir import Array

LEAST_LEFT = -(((1 << chip.FLOOR_BITS) - 1) >> 12)  #: of a silent membrane at its floor


@dataclass(frozen=True)
class Biases:
    """Where the units of a layer stand.

    threshold: mantissa of all compartments.  exponent: of all biases.  mantissas: int64 (units, neurons).
    """

    threshold: int
    exponent: int
    mantissas: Array


def grid_of(weight_exponent: int) -> int:
    """What divides every sum of a layer: its mantissas are even."""
    return 2 << weight_exponent


def passing_sums(population: UnitPopulation) -> Array:
    """The least sum in chip units at which each unit passes, int64 (units, neurons)."""
    assert population.synapse is not None
    units = scaling(population)
    low, high = (end * units.scale for end in population.synapse.range())
    return canonical(population.breakpoints * units.scale, low, high, grid_of(units.exponent))


def biases_of(population: UnitPopulation) -> Biases:
    """Biases in the middle of what they may be, with the smallest exponent and threshold that hold them.

    A threshold in the middle of all breakpoints halves what biases must reach. Where nothing holds them all, mantissas
    are larger than the chip takes.
    """
    sums, half = passing_sums(population), grid_of(scaling(population).exponent) // 2
    middle = min(max((int(sums.min()) + int(sums.max())) // 2, 0), half << 12, chip.MOST_THRESHOLD - 1)
    tries = [(exponent, base) for exponent in chip.BIAS_EXPONENTS for base in (0, middle - middle % 2)]
    *finer, last = (_about(sums, half, exponent, base) for exponent, base in tries)
    return next((found for found in finer if np.abs(found.mantissas).max(initial=0) <= chip.MOST_BIAS), last)


def _about(sums: Array, half: int, exponent: int, base: int) -> Biases:
    """Biases about an even threshold or the next, whichever makes them multiples of 2^exponent."""
    shift = exponent - chip.GAIN_BITS
    threshold = base + half % (1 << shift)
    return Biases(threshold, exponent, (threshold - sums + half) >> shift)


def realised(biases: Biases, grid: int) -> tuple[Array, Array]:
    """The least sums at which the units pass with the most and with the least left of a tick before.

    Both int64 (units, neurons); where they are equal, nothing that is left can change a comparison.
    """
    need = (biases.threshold << chip.GAIN_BITS) - (biases.mantissas << biases.exponent)
    most = (biases.threshold << chip.GAIN_BITS) >> 12
    least, greatest = (((need - left) // (grid << chip.GAIN_BITS) + 1) * grid for left in (most, LEAST_LEFT))
    return least, greatest
