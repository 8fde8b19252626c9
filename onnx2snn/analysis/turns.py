"""Fractions of numbers on a line, what lies above the whole number below: out of 2^64, so that they wrap around.

Those of start + k slope for k = 0, 1, 2 ... are a sum and a product in 64 bits, for whole turns fall off by themselves.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.analysis.breakpoints import CACHED
from onnx2snn.ir import Array

TURN = 2.0**64  #: as many make one
LARGEST = 1 - 2.0**-53  #: float64 below one


def turns(x: Array) -> Array:
    """The fractions of float64 numbers, cut off: uint64."""
    return (np.minimum(x - np.floor(x), LARGEST) * TURN).astype(np.uint64)


def extremes(start: Array, slope: Array, count: int, size: int) -> tuple[Array, Array, Array, Array]:
    """Of the fractions of start + k slope for k below `count` the greatest and the least of every `size` in turn.

    start, slope: float64 (n,); no slope is negative, for then its fraction is exact. Returns the greatest and the
    least, float64 (n, segments), within `resolution`, and which k these are, int64 like them.
    """
    bits, segments = _index_bits(count), -(-count // size)
    begin, rise = (turns(part) >> bits << bits for part in (start, slope))
    rise += np.uint64(1)  # so the lowest bits hold k
    index = np.minimum(np.arange(segments * size), count - 1).astype(np.uint64)[:, None]
    found = np.empty((2, segments, len(start)), np.uint64)
    step = max(1, 2 * CACHED // len(index))
    for first in range(0, len(start), step):
        part = slice(first, first + step)
        ends = index * rise[part]
        ends += begin[part]
        ends = ends.reshape(segments, size, -1)
        ends.max(axis=1, out=found[0, :, part])
        ends.min(axis=1, out=found[1, :, part])
    most, least = np.ascontiguousarray(found.swapaxes(1, 2))
    low = (np.uint64(1) << bits) - np.uint64(1)
    k_most, k_least = (most & low).astype(np.int64), (least & low).astype(np.int64)
    return (most >> bits << bits) / TURN, (least >> bits << bits) / TURN, k_most, k_least


def resolution(count: int) -> float:
    """By how much `extremes` may cut off, of start and of k slopes, and round at most."""
    return 2.0 ** (2 * int(_index_bits(count)) - 64) + 2.0**-52


def _index_bits(count: int) -> np.uint64:
    return np.uint64(count.bit_length())
