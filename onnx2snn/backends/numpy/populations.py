"""A neuron population over its steps, a block of them at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array, Shape
from onnx2snn.ir.ops import DECAY_BITS, IF, LIF, STBIF, Ladder, Neuron, SignedIF, StoreAndForward, Traced
from onnx2snn.reference import leak
from onnx2snn.table import Table

FIRE: Table[Callable[..., Array]] = Table("the neurons of the NumPy simulator")


def train_kind(op: Neuron) -> np.dtype[np.generic]:
    """The smallest whole number that holds what a neuron sends in a tick."""
    return np.dtype(next(k for k in (np.int8, np.int16, np.int32) if op.most_at_once <= np.iinfo(k).max))


@dataclass
class Parameters:
    """The neurons' thresholds in the type that they are simulated in, and their net counts so far."""

    theta: Array
    n: Array


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
        op, train = self.op, list[Array]()
        quiet, self.silent = min(op.silent_until, stop), False
        for tick in range(first, quiet):
            self._integrate(drive(tick))
        if quiet == stop:
            return self._train(train)
        train += [np.zeros(self.shape, np.int8)] * (quiet - first)
        for tick in range(max(first, quiet), stop):
            self._integrate(drive(tick))
            spike = FIRE[type(op)](op, self.state, self.v)
            fired = int(np.count_nonzero(spike) if op.most_at_once == 1 else np.abs(spike).sum())
            if not fired and tick >= least:
                self.silent = True
                break
            if fired:
                self._reset(spike)
                self.state.n += spike
                self.spikes += fired
                self.last = tick + 1
            train.append(spike)
        return self._train(train)

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

    def _train(self, spikes: list[Array]) -> Array:
        return np.stack(spikes) if spikes else np.zeros((0, *self.shape), train_kind(self.op))


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
def _if(op: IF | LIF, state: Parameters, v: Array) -> Array:
    return (v >= state.theta).view(np.int8)


@FIRE.rule(SignedIF)
def _signed_if(op: SignedIF, state: Parameters, v: Array) -> Array:
    return (v >= state.theta).view(np.int8) - ((v < 0) & (state.n > op.lo)).view(np.int8)


@FIRE.rule(STBIF, StoreAndForward)
def _st_bif(op: Traced, state: Parameters, v: Array) -> Array:
    up, down = v >= state.theta, v < 0
    if op.ties == "even":
        odd = (state.n & 1).astype(bool)
        up &= odd | (v != state.theta)
        down |= odd & (v == 0)
    up &= state.n < op.hi
    down &= state.n > op.lo
    return up.view(np.int8) - down.view(np.int8)


@FIRE.rule(Ladder)
def _ladder(op: Ladder, state: Parameters, v: Array) -> Array:
    """How many more units have passed than before: the largest m with v >= m theta, whatever a quotient rounds to."""
    theta, n = state.theta, state.n
    m = np.floor(v / theta) if v.dtype.kind == "f" else v // theta
    m += (m + 1) * theta <= v
    m -= m * theta > v
    if op.ties == "even":
        m -= (m * theta == v) & ((n + m) % 2 == 1)
    return np.clip(m, op.lo - n, op.hi - n).astype(train_kind(op))
