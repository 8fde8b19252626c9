"""A neuron population over its steps, a block of them at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array, Shape
from onnx2snn.ir.ops import IF, STBIF, Neuron, SignedIF
from onnx2snn.table import Table

FIRE: Table[Callable[..., Array]] = Table("the neurons of the NumPy simulator")


@dataclass
class Parameters:
    """The neurons' thresholds in the type that they are simulated in, and their net counts so far."""

    theta: Array
    n: Array


class Population:
    """Neurons of `shape` (batch, *features) and what they carry from one block of ticks to the next.

    most: ticks that they run at most.  start: membranes (batch, *features) in place of v0.
    counts: net spikes so far, int64.  spikes: of either sign.  last: ticks until the last of them.
    """

    def __init__(
        self, op: Neuron, kind: np.dtype[np.generic], shape: Shape, most: int, start: Array | None = None
    ) -> None:
        self.op, self.shape = op, shape
        self.v: Array = np.broadcast_to(op.v0 if start is None else start, shape).astype(kind)
        tracer = np.int16 if most <= np.iinfo(np.int16).max else np.int32  # at most one spike a tick
        self.state = Parameters(np.broadcast_to(op.theta.astype(kind), shape), np.zeros(shape, tracer))
        self.spikes, self.last = 0, 0

    @property
    def counts(self) -> Array:
        """Net spikes so far, int64 (batch, *features)."""
        return self.state.n.astype(np.int64)

    def advance(self, drive: Callable[[int], Array | None], first: int, stop: int, least: int) -> Array:
        """Runs ticks `first` to `stop`, not those after a silent one from tick `least` on; returns the spikes.

        drive(tick) is what arrives, shift and bias included, or None for nothing. The spikes are int8 (ticks, batch,
        *features): fewer ticks than asked for say that the population is silent for good once nothing arrives.
        """
        train: list[Array] = []
        for tick in range(first, stop):
            current = drive(tick)
            if current is not None:
                self.v += current
            spike = FIRE[type(self.op)](self.op, self.state, self.v)
            fired = int(np.count_nonzero(spike))
            if not fired and tick >= least:
                break
            if fired:
                self.v -= self.state.theta * spike
                self.state.n += spike
                self.spikes += fired
                self.last = tick + 1
            train.append(spike)
        return np.stack(train) if train else np.zeros((0, *self.shape), np.int8)


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
