"""What the chip computes with: word lengths, limits, and weights in its form.

Sources: the bit-accurate models of Lava, nengo-loihi and brian2-loihi, which agree with each other and with a public
silicon trace on what is used here; the two-compartment soft reset of Intel's NxTF. There, one reset weight ties a
threshold to 8 significant bits; a second synapse from soma to dendrite makes every threshold up to 32767 exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnx2snn.ir import Array

Chip = Literal["loihi1", "loihi2"]
GAIN_BITS = 6  #: synaptic sums enter the membrane times 2^6; biases with exponent 6 share the gain
DECAY_UNIT = 4096  #: a decay of 4096 forgets everything in one tick, one of 0 nothing
FORGETFUL = DECAY_UNIT - 1  #: decay of membranes without memory, which needs no extra bit: it leaves |v| / 4096, cut
FLOOR_BITS = 18  #: and their floor, -(2^18 - 1): what is left of a silent one is never below -63
DENDRITE_BITS = 16  #: signed, the synaptic sum of one tick before the gain
MEMBRANE_BITS = 24  #: signed, after the gain
MOST_SUM = (1 << (DENDRITE_BITS - 1)) - 1
MOST_MEMBRANE = ((1 << (MEMBRANE_BITS - 1)) - 1) >> GAIN_BITS  #: in units before the gain
MOST_BIAS = 4095  #: signed 13-bit mantissa
MOST_THRESHOLD = (1 << 17) - 1  #: unsigned 17-bit mantissa
WEIGHT_LOW, WEIGHT_HIGH = -256, 254  #: signed 8-bit mantissa of mixed sign: even numbers
MOST_EXPONENT = 7
BIAS_EXPONENTS = (6, 7)  #: with 6, mantissas count in units before the gain
RESET_MANTISSA = 255  #: magnitude of an inhibitory 8-bit mantissa, even or odd
MOST_THETA = (RESET_MANTISSA << MOST_EXPONENT) + (1 << MOST_EXPONENT) - 1  #: what two reset weights can take off
COMPARTMENTS, CORES = 1024, 128  #: of a core, of a chip
SOFT_RESET_COMPARTMENTS = 2  #: compartments of one neuron with soft reset


@dataclass(frozen=True)
class Scaling:
    """How a layer's grid becomes chip units: times `scale` (1 or 2), weights then 2^exponent * mantissa."""

    scale: Literal[1, 2]
    exponent: int

    def mantissas(self, effective: Array) -> Array:
        """Even mantissas of weights on the layer's grid."""
        return (effective * self.scale) >> self.exponent


def scaling_of(effective: Array) -> Scaling:
    """The largest exponent that keeps every mantissa even, the layer doubled where a weight is odd."""
    bits = int(np.bitwise_or.reduce(np.abs(effective), axis=None))
    if bits == 0:
        return Scaling(1, 0)
    zeros = (bits & -bits).bit_length() - 1
    return Scaling(1 if zeros else 2, min(max(zeros - 1, 0), MOST_EXPONENT))


def reset_exponents(theta: Array) -> tuple[int, ...]:
    """Exponents of the one or two reset weights that together take `theta` off, for every neuron of a layer."""
    coarse = max(int(theta.max()).bit_length() - 8, 0)
    exact = not (theta & ((1 << coarse) - 1)).any()
    return (coarse,) if exact else (coarse, 0)


def reset_mantissas(theta: Array, exponents: tuple[int, ...]) -> Array:
    """Their mantissas (weights, neurons): theta = sum of mantissa 2^exponent."""
    coarse = theta >> exponents[0]
    return np.stack([coarse, theta - (coarse << exponents[0])][: len(exponents)])
