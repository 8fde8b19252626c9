"""Quotients of float64 numbers, each taken as the rational number it is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from onnx2snn.ir import Array

MOST_BITS = 62  #: of whole numbers that int64 adds without overflow


def least_whole(numbers: Array, factors: Array, divisor: Array) -> tuple[Array, Array]:
    """The least whole number that is not below sum_i numbers[i] factors[i] / divisor, and whether they are equal.

    numbers: float64 (terms, n).  factors: int64 (terms, n).  divisor: float64 (n,), positive. Exact.
    Columns whose numbers are all few-bit multiples of one power of two take int64; the others `Fraction`.
    """
    least, equal = np.zeros(len(divisor), np.int64), np.zeros(len(divisor), bool)
    whole, bits = _scaled(np.concatenate([numbers, divisor[None]]))
    growth = 1 + len(numbers) + _bits(np.abs(factors).max(axis=0, initial=1))
    small = bits + growth <= MOST_BITS
    total, below = (whole[:-1, small] * factors[:, small]).sum(axis=0), whole[-1, small]
    least[small] = -(-total // below)
    equal[small] = least[small] * below == total
    for i in np.nonzero(~small)[0]:
        terms = (Fraction(float(a)) * int(f) for a, f in zip(numbers[:, i], factors[:, i], strict=True))
        exact = sum(terms, Fraction(0)) / Fraction(float(divisor[i]))
        least[i], equal[i] = -(-exact.numerator // exact.denominator), exact.denominator == 1
    return least, equal


def _scaled(numbers: Array) -> tuple[Array, Array]:
    """Each column times the power of two that makes it whole, and the bits of its largest; nonsense beyond 62 bits."""
    fraction, exponent = np.frexp(numbers)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    zeros = np.where(mantissa == 0, 0, _bits(mantissa & -mantissa) - 1)
    mantissa, exponent = mantissa >> zeros, exponent + zeros
    lowest = np.where(mantissa == 0, np.iinfo(np.int32).max, exponent).min(axis=0)
    shift = np.where(mantissa == 0, 0, exponent - lowest)
    bits = (_bits(np.abs(mantissa)) + shift).max(axis=0)
    return mantissa << np.minimum(shift, MOST_BITS), bits


def _bits(whole: Array) -> Array:
    """Bit length of numbers from 0 to 2^53, or one more where rounding takes a larger one to the next power of two."""
    return np.frexp(whole.astype(np.float64))[1].astype(np.int64)
