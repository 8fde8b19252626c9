"""Philox4x32-10: random numbers that are a function of a counter, so that each has an address and no order.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Array

ROUNDS = 10
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = 0x9E3779B9, 0xBB67AE85
WORD, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


def philox(counter: tuple[Array, Array, Array, Array], key: tuple[int, int]) -> tuple[Array, Array, Array, Array]:
    """Four random words (uint64 below 2^32) for each counter of four words, which broadcast, under a key of two."""
    a, b, c, d = (np.asarray(word).astype(np.uint64) for word in counter)
    one, two = key
    for _ in range(ROUNDS):
        p, q = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b, c, d = (q >> WORD) ^ b ^ np.uint64(one), q & LOW, (p >> WORD) ^ d ^ np.uint64(two), p & LOW
        one, two = (one + WEYL[0]) & 0xFFFFFFFF, (two + WEYL[1]) & 0xFFFFFFFF
    return a, b, c, d
