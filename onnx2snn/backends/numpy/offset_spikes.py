"""Initial membranes that take offset spikes away, found in a short run before the run.

An integrate-and-fire neuron whose input comes unevenly may end with a residual membrane below zero (it fired more often
than its charge warrants) or of a threshold and more (less often). As often as there are steps, its initial membrane is
lowered or raised by as much as takes off or adds one spike, and the run is repeated, until the count fits the charge.

Source: Hao, Ding, Bu, Huang, Yu, "Bridging the gap between ANNs and SNNs by calibrating offset spikes", ICLR 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array
from onnx2snn.ir.ops import Neuron

MARGIN = 1000  #: a real-valued membrane passes a threshold by a thousandth of it


@dataclass
class Trial:
    """A population after a trial run.

    n: spikes.  least: smallest membrane, before its reset, that fired.  most: largest that did not.
    """

    train: Array
    n: Array
    least: Array
    most: Array


def calibrated(
    op: Neuron, kind: np.dtype[np.generic], drive: Callable[[int], Array | None], shape: tuple[int, ...], steps: int
) -> tuple[Array, Array]:
    """(initial membranes (batch, *features), spikes int8 (steps, batch, *features) with them) of unsigned neurons.

    drive(tick) is what arrives, shift and bias included.
    """
    theta: Array = np.broadcast_to(op.theta, shape).astype(kind)
    start: Array = np.broadcast_to(op.v0, shape).astype(kind)
    margin = np.ones_like(theta) if op.integer else theta / MARGIN
    currents = [drive(tick) for tick in range(steps)]
    charge = sum((current for current in currents if current is not None), start)
    trial = _try(start, theta, currents)
    for _ in range(steps):
        residual = charge - theta * trial.n
        over, under = (residual < 0) & (trial.n > 0), (residual >= theta) & (trial.n < steps)
        if not (over | under).any():
            break
        start = np.where(over, start - np.maximum(theta, trial.least - theta + margin), start)
        start = np.where(under, start + np.maximum(theta, theta + margin - trial.most), start)
        trial = _try(start, theta, currents)
    return start, trial.train


def _try(start: Array, theta: Array, currents: list[Array | None]) -> Trial:
    v, n = start, np.zeros(start.shape, np.int16)
    train: list[Array] = []
    least, most = np.full(start.shape, np.inf), np.full(start.shape, -np.inf)
    for current in currents:
        if current is not None:
            v = v + current
        fired = v >= theta
        least, most = np.minimum(least, np.where(fired, v, np.inf)), np.maximum(most, np.where(fired, -np.inf, v))
        v = v - theta * fired
        n += fired
        train.append(fired.view(np.int8))
    return Trial(np.stack(train), n, _finite(least, start), _finite(most, start))


def _finite(values: Array, like: Array) -> Array:
    """Zero where there was no such step, and so no use of it."""
    return np.where(np.isfinite(values), values, 0).astype(like.dtype)
