"""What a pattern match put in place, asked beside every breakpoint whether it is what it replaced."""

from __future__ import annotations

import numpy as np

from onnx2snn.analysis.pointwise import Pointwise
from onnx2snn.errors import PassError
from onnx2snn.ir import Array

MOST_COUNTS = 512  #: looked at; of wider quantisers both ends and a sample between
BESIDE = 2.0**-20  #: of a step
CLOSE = 1e-6  #: of a step: values that differ less are equal


def check(before: Pointwise, after: Pointwise, scale: Array, lo: int, hi: int) -> None:
    """Both functions agree at every breakpoint, on both sides of it, between and far out, for each channel.

    scale: the step, as it broadcasts.  lo, hi: the counts.  Ties are compared where steps have 24 bits: elsewhere
    float64 does not meet them. Raises `PassError` where they differ: a mistake of ours.
    """
    rows = np.broadcast_shapes(before.shape, after.shape, scale.shape)
    counts = _counts(scale, lo, hi)
    points = counts.reshape(-1, *(1,) * len(rows)) * np.broadcast_to(scale, rows)
    expected, found = before(points), after(points)
    wrong = ~(np.abs(expected - found) <= CLOSE * scale)
    if wrong.any():
        where = float(points[wrong][0])
        raise PassError(
            f"internal: at {where!r} the staircase gives {float(found[wrong][0])!r}, what it replaced "
            f"{float(expected[wrong][0])!r}; please report this"
        )


def _counts(scale: Array, lo: int, hi: int) -> Array:
    """Where to look, in steps."""
    steps = np.arange(lo, hi + 2)
    if len(steps) > MOST_COUNTS:
        ends, inner = steps[[*range(MOST_COUNTS // 4), *range(-MOST_COUNTS // 4, 0)]], len(steps) // (MOST_COUNTS // 2)
        steps = np.union1d(ends, steps[::inner])
    sides = [steps + part for part in (-0.75, -0.5 - BESIDE, -0.5 + BESIDE, -0.25, -BESIDE, BESIDE)]
    far = (abs(lo) + abs(hi) + 1) * 1000.0
    met = [steps, steps - 0.5] if (scale.astype(np.float32) == scale).all() else []
    return np.concatenate([*sides, *met, [-far, far]])
