"""Quotients of float64 numbers, each taken as the rational number it is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from onnx2snn.ir import Array

MOST_BITS = 62  #: of whole numbers that int64 adds without overflow


def least_whole(numbers: Array, factors: Array, divisor: Array) -> tuple[Array, Array]:
    """The least whole number that is not below sum_i numbers[i] factors[i] / divisor, and whether they are equal.

    numbers: float64 (terms, n).  factors: int64 (terms, n).  divisor: float64 (n,), positive. Exact.
    Columns whose numbers are all few-bit multiples of one power of two take int64; the others Python's whole numbers.
    """
    least, equal = np.zeros(len(divisor), np.int64), np.zeros(len(divisor), bool)
    mantissa, shift = _scaled(np.concatenate([numbers, divisor[None]]))
    bits = (_bits(np.abs(mantissa)) + shift).max(axis=0)
    growth = 1 + len(numbers) + _bits(np.abs(factors).max(axis=0, initial=1))
    small = bits + growth <= MOST_BITS
    for columns, kind in ((small, np.int64), (~small, object)):
        whole = mantissa[:, columns].astype(kind) << shift[:, columns].astype(kind)
        total, below = (whole[:-1] * factors[:, columns]).sum(axis=0), whole[-1]
        quotient = -(-total // below)
        least[columns], equal[columns] = quotient, quotient * below == total
    return least, equal


def _scaled(numbers: Array) -> tuple[Array, Array]:
    """Each column times the power of two that makes it whole: odd numbers or 0, and the bits to shift them by."""
    fraction, exponent = np.frexp(numbers)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    zeros = np.where(mantissa == 0, 0, _bits(mantissa & -mantissa) - 1)
    mantissa, exponent = mantissa >> zeros, exponent + zeros
    lowest = np.where(mantissa == 0, np.iinfo(np.int32).max, exponent).min(axis=0)
    return mantissa, np.where(mantissa == 0, 0, exponent - lowest)


def _bits(whole: Array) -> Array:
    """Bit length of numbers from 0 to 2^53, or one more where rounding takes a larger one to the next power of two."""
    return np.frexp(whole.astype(np.float64))[1].astype(np.int64)


def nearest_fractions(x: Array, limit: int) -> tuple[Array, Array]:
    """Numerators and denominators (at most `limit`) of the fractions nearest to positive float64 numbers.

    Continued fractions (Khinchin, 1964), all numbers at once, as `Fraction.limit_denominator` does one. Numbers below
    2^-9 or from 2^20 on, for which int64 is too narrow, go there.
    """
    mantissa, exponent = np.frexp(x)
    inside = (exponent > -9) & (exponent <= 20)
    n = np.where(inside, np.ldexp(mantissa, 53), 1).astype(np.int64)
    d = np.left_shift(1, np.where(inside, 53 - exponent, 0).astype(np.int64))
    p0, q0, p1, q1 = (np.full(x.shape, start, np.int64) for start in (0, 1, 1, 0))
    going = inside.copy()
    while going.any():
        a = np.where(going, n // np.maximum(d, 1), 0)
        q2 = q0 + np.where(q1 > 0, np.minimum(a, limit + 1), 0) * q1
        going &= (q2 <= limit) & (d > 0)
        p0, q0, p1, q1 = (np.where(going, new, old) for new, old in ((p1, p0), (q1, q0), (p0 + a * p1, p1), (q2, q1)))
        n, d = np.where(going, d, n), np.where(going, n - a * d, d)
        going &= d > 0
    k = (limit - q0) // np.maximum(q1, 1)
    p2, q2 = p0 + k * p1, q0 + k * q1
    nearer = (d == 0) | (2.0 * d * q2 <= np.ldexp(1.0, 53 - exponent))
    numerator, denominator = np.where(nearer, p1, p2), np.where(nearer, q1, q2)
    for i in zip(*np.nonzero(~inside), strict=True):
        numerator[i], denominator[i] = Fraction(float(x[i])).limit_denominator(limit).as_integer_ratio()
    return numerator, denominator


def small_ratios(first: Array, second: Array, limit: int) -> tuple[Array, Array] | None:
    """Whole m1, m2 up to `limit`, without common factor, with first m2 = second m1 exactly; None where any has none.

    first, second: positive float64 (n,). A common unit of both is then first / m1.
    """
    with np.errstate(over="ignore"):
        near = second / first
    m2, m1 = nearest_fractions(near, limit)
    close = (m2 >= 1) & (m2 <= limit) & (np.abs(m2 / m1 - near) <= 2.0**-48 * near)
    if not close.all():
        return None
    found, equal = least_whole(second[None], m1[None], first)
    return (m1, m2) if bool((equal & (found == m2)).all()) else None
