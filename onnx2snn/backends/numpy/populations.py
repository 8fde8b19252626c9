"""A neuron population over its steps, a block of them at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array, Shape
from onnx2snn.ir.ops import DECAY_BITS, IF, LIF, STBIF, Ladder, Neuron, SignedIF, StoreAndForward, Traced
from onnx2snn.reference import leak
from onnx2snn.table import Table

FIRE: Table[Callable[..., None]] = Table("the neurons of the NumPy simulator")


def train_kind(op: Neuron) -> np.dtype[np.generic]:
    """The smallest whole number that holds what a neuron sends in a tick."""
    return np.dtype(next(k for k in (np.int8, np.int16, np.int32) if op.most_at_once <= np.iinfo(k).max))


@dataclass
class Parameters:
    """The neurons' thresholds in the type that they are simulated in, and their net counts so far."""

    theta: Array
    n: Array


@dataclass
class Spikes:
    """Where the spikes of a tick go, and room to work them out in: upward ones and downward ones."""

    out: Array
    up: Array
    down: Array

    def send(self) -> None:
        """Writes +1 for each upward one and -1 for each downward one."""
        np.subtract(self.up.view(np.int8), self.down.view(np.int8), out=self.out)


class Population:
    """Neurons of `shape` (batch, *features) and what they carry from one block of ticks to the next.

    most: ticks that they run at most.  start: membranes (batch, *features) in place of v0.
    counts: net spikes so far, int64.  spikes: of either sign.  last: ticks until the last of them.
    silent: whether the last block ended in silence that only new charge can end.
    """

    def __init__(
        self, op: Neuron, kind: np.dtype[np.generic], shape: Shape, most: int, start: Array | None = None
    ) -> None:
        self.op, self.shape = op, shape
        self.v: Array = np.broadcast_to(op.v0 if start is None else start, shape).astype(kind)
        tracer = np.int16 if most * op.most_at_once <= np.iinfo(np.int16).max else np.int32
        self.state = Parameters(np.broadcast_to(op.theta.astype(kind), shape), np.zeros(shape, tracer))
        self.spikes, self.last, self.silent = 0, 0, False

    @property
    def counts(self) -> Array:
        """Net spikes so far, int64 (batch, *features)."""
        return self.state.n.astype(np.int64)

    def advance(self, drive: Callable[[int], Array | None], first: int, stop: int, least: int) -> Array:
        """Runs ticks `first` to `stop`, not those after a silent one from tick `least` on; returns the spikes.

        drive(tick) is what arrives, shift and bias included, or None for nothing. The spikes are whole numbers (ticks,
        batch, *features) of `train_kind`: for fewer ticks than asked for where the population stays silent, and none at
        all before it opens.
        """
        op, quiet = self.op, min(self.op.silent_until, stop)
        self.silent = False
        for tick in range(first, quiet):
            self._integrate(drive(tick))
        if quiet == stop:
            return np.zeros((0, *self.shape), train_kind(op))
        train = np.empty((stop - first, *self.shape), train_kind(op))
        train[: max(0, quiet - first)] = 0
        up, down = np.empty((2, *self.shape), np.bool_)
        for tick in range(max(first, quiet), stop):
            self._integrate(drive(tick))
            spike = train[tick - first]
            FIRE[type(op)](op, self.state, self.v, Spikes(spike, up, down))
            fired = int(np.count_nonzero(spike) if op.most_at_once == 1 else np.abs(spike).sum())
            if not fired and tick >= least:
                self.silent = True
                return train[: tick - first]
            if fired:
                self._reset(spike)
                self.state.n += spike
                self.spikes += fired
                self.last = tick + 1
        return train

    def _integrate(self, current: Array | None) -> None:
        if isinstance(self.op, LIF):
            _leak(self.op, self.v)
        if current is not None:
            self.v += current

    def _reset(self, spike: Array) -> None:
        if isinstance(self.op, LIF) and self.op.reset == "zero":
            np.copyto(self.v, 0, where=spike.view(np.bool_))
        else:
            self.v -= self.state.theta * spike


def _leak(op: LIF, v: Array) -> None:
    """v <- decay v, in whole numbers cut toward zero; in place, exact in any type that holds the product."""
    if not op.integer:
        v *= op.decay
    elif v.dtype.kind == "i":
        np.copyto(v, leak(op, v))
    else:
        v *= op.whole_decay
        v *= 2.0**-DECAY_BITS
        np.trunc(v, out=v)


@FIRE.rule(IF, LIF)
def _if(op: IF | LIF, state: Parameters, v: Array, spikes: Spikes) -> None:
    np.greater_equal(v, state.theta, out=spikes.out.view(np.bool_))


@FIRE.rule(SignedIF)
def _signed_if(op: SignedIF, state: Parameters, v: Array, spikes: Spikes) -> None:
    up, down = spikes.up, spikes.down
    np.less(v, 0, out=down)
    np.greater(state.n, op.lo, out=up)
    down &= up
    np.greater_equal(v, state.theta, out=up)
    spikes.send()


@FIRE.rule(STBIF, StoreAndForward)
def _st_bif(op: Traced, state: Parameters, v: Array, spikes: Spikes) -> None:
    up, down, other = spikes.up, spikes.down, spikes.out.view(np.bool_)
    np.greater_equal(v, state.theta, out=up)
    np.less(v, 0, out=down)
    if op.ties == "even":
        odd = (state.n & 1).astype(np.bool_)
        np.not_equal(v, state.theta, out=other)
        other |= odd
        up &= other
        np.equal(v, 0, out=other)
        other &= odd
        down |= other
    np.less(state.n, op.hi, out=other)
    up &= other
    np.greater(state.n, op.lo, out=other)
    down &= other
    spikes.send()


@FIRE.rule(Ladder)
def _ladder(op: Ladder, state: Parameters, v: Array, spikes: Spikes) -> None:
    """How many more units have passed than before: the largest m with v >= m theta, whatever a quotient rounds to."""
    theta, n = state.theta, state.n
    m = np.floor(v / theta) if v.dtype.kind == "f" else v // theta
    m += (m + 1) * theta <= v
    m -= m * theta > v
    if op.ties == "even":
        m -= (m * theta == v) & ((n + m) % 2 == 1)
    spikes.out[...] = np.clip(m, op.lo - n, op.hi - n)
