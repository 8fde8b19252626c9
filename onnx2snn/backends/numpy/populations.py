"""A whole neuron population over all its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array
from onnx2snn.ir.ops import IF, STBIF, Neuron, SignedIF
from onnx2snn.table import Table

FIRE: Table[Callable[..., Array]] = Table("the neurons of the NumPy simulator")


@dataclass(frozen=True)
class Firing:
    """train: spikes int8 (ticks, batch, *features).  counts: net spikes, int64.  spikes: of either sign."""

    train: Array
    counts: Array
    spikes: int


@dataclass
class Parameters:
    """The neuron's numbers in the type that it is simulated in, and its net counts so far."""

    theta: Array
    n: Array


def fire(
    op: Neuron,
    kind: np.dtype[np.generic],
    drive: Callable[[int], Array | None],
    shape: tuple[int, ...],
    least: int,
    most: int,
    start: Array | None = None,
) -> Firing:
    """Runs a population until it is silent, at least `least` and at most `most` ticks.

    drive(tick) is what arrives, shift and bias included, or None for nothing.  start: membranes (batch, *features) in
    place of v0.
    """
    v = np.broadcast_to(op.v0 if start is None else start, shape).astype(kind)
    tracer = np.int16 if most <= np.iinfo(np.int16).max else np.int32  # at most one spike a tick
    state = Parameters(np.broadcast_to(op.theta.astype(kind), shape), np.zeros(shape, tracer))
    train: list[Array] = []
    spikes = 0
    for tick in range(most):
        current = drive(tick)
        if current is not None:
            v += current
        spike = FIRE[type(op)](op, state, v)
        fired = int(np.count_nonzero(spike))
        if not fired and tick >= least:
            break
        if fired:
            v -= state.theta * spike
            state.n += spike
            spikes += fired
        train.append(spike)
    stacked = np.stack(train) if train else np.zeros((0, *shape), np.int8)
    return Firing(stacked, state.n.astype(np.int64), spikes)


@FIRE.rule(IF)
def _if(op: IF, state: Parameters, v: Array) -> Array:
    return (v >= state.theta).view(np.int8)


@FIRE.rule(SignedIF)
def _signed_if(op: SignedIF, state: Parameters, v: Array) -> Array:
    return (v >= state.theta).view(np.int8) - ((v < 0) & (state.n > op.lo)).view(np.int8)


@FIRE.rule(STBIF)
def _st_bif(op: STBIF, state: Parameters, v: Array) -> Array:
    up, down = v >= state.theta, v < 0
    if op.ties == "even":
        odd = (state.n & 1).astype(bool)
        up &= odd | (v != state.theta)
        down |= odd & (v == 0)
    up &= state.n < op.hi
    down &= state.n > op.lo
    return up.view(np.int8) - down.view(np.int8)
