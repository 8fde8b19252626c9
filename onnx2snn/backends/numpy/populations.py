"""A neuron population over its steps, a block of them at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from onnx2snn.backends.numpy.drive import Drive
from onnx2snn.backends.numpy.fused import CODES, Block, Loop, rows, rule_of
from onnx2snn.ir import Array, Shape
from onnx2snn.ir.ops import DECAY_BITS, IF, LIF, STBIF, Ladder, Neuron, SignedIF, StoreAndForward, Traced, whole_decay
from onnx2snn.reference import decayed
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
    loop: the compiled loop over ticks and neurons, or None: NumPy, tick after tick. Both give the same. Neurons with a
    synaptic current always take NumPy.
    """

    def __init__(
        self,
        op: Neuron,
        kind: np.dtype[np.generic],
        shape: Shape,
        most: int,
        start: Array | None = None,
        loop: Loop | None = None,
    ) -> None:
        self.op, self.shape, self.loop = op, shape, loop if isinstance(op, CODES) and not op.lingers else None
        self.v: Array = np.broadcast_to(op.v0 if start is None else start, shape).astype(kind, order="C")
        self.current = np.zeros_like(self.v) if op.lingers else None
        tracer = np.int16 if most * op.most_at_once <= np.iinfo(np.int16).max else np.int32
        self.state = Parameters(np.broadcast_to(op.theta.astype(kind), shape), np.zeros(shape, tracer))
        self.theta = rows(op.theta, shape[1:], kind)[0]
        self.spikes, self.last, self.silent = 0, 0, False

    @property
    def counts(self) -> Array:
        """Net spikes so far, int64 (batch, *features)."""
        return self.state.n.astype(np.int64)

    def advance(self, drive: Drive, first: int, stop: int, least: int) -> Array:
        """Runs ticks `first` to `stop`, not those after a silent one from tick `least` on; returns the spikes.

        drive: what arrives, shift and bias included; silence counts when nothing arrives any more. The spikes are whole
        numbers (ticks, batch, *features) of `train_kind`: for fewer ticks than asked for where the population stays
        silent, and none at all before it opens.
        """
        opens = self.op.silent_until
        train = np.empty((stop - first if opens < stop else 0, *self.shape), train_kind(self.op))
        least = stop if self.op.lingers else max(least, opens, drive.stop)
        block = Block(first, stop, drive.ends if drive.parts else 0, opens, least)
        self.silent = False
        ticks = (
            self._by_tick(drive, block, train) if self.loop is None else self._compiled(self.loop, drive, block, train)
        )
        return train[:ticks]

    def _by_tick(self, drive: Drive, block: Block, train: Array) -> int:
        """Runs a block in NumPy, writes its spikes to `train`; returns the ticks before silence for good."""
        op, opened = self.op, min(max(block.first, block.opens), block.stop)
        for tick in range(block.first, opened):
            self._integrate(drive, tick)
        train[: opened - block.first] = 0
        up, down = np.empty((2, *self.shape), np.bool_)
        for tick in range(opened, block.stop):
            self._integrate(drive, tick)
            spike = train[tick - block.first]
            FIRE[type(op)](op, self.state, self.v, Spikes(spike, up, down))
            fired = int(np.count_nonzero(spike) if op.most_at_once == 1 else np.abs(spike).sum())
            if not fired and tick >= block.least:
                self.silent = True
                return tick - block.first
            if fired:
                self._reset(spike)
                self.state.n += spike
                self.spikes += fired
                self.last = tick + 1
        return len(train)

    def _compiled(self, loop: Loop, drive: Drive, block: Block, train: Array) -> int:
        """As `_by_tick`, in one loop."""
        batch, *features = self.shape
        flat, kind, n = (batch, prod(features)), self.v.dtype, self.state.n
        values = np.empty((0, *self.shape), kind) if drive.values is None else np.ascontiguousarray(drive.values)
        parts = [rows(part, tuple(features), kind) for part in drive.parts] or [np.zeros((1, flat[1]), kind)]
        fired = np.zeros(block.stop - block.first, np.int64)
        end = loop(
            rule_of(self.op, kind, n.dtype, drive.gain),
            block,
            self.v.reshape(flat),
            self.theta,
            n.reshape(flat),
            values.reshape(-1, *flat),
            (parts[0], parts[-1]),
            train.reshape(-1, *flat),
            fired,
        )
        self.spikes += int(fired.sum())
        if fired.any():
            self.last = block.first + int(np.flatnonzero(fired)[-1]) + 1
        self.silent = end <= block.stop
        return end - 1 - block.first if self.silent else len(train)

    def _integrate(self, drive: Drive, tick: int) -> None:
        arriving = drive(tick)
        if isinstance(self.op, LIF):
            _decay(self.v, self.op.decay, self.op.integer)
            arriving = self._through_synapse(self.op, arriving, drive.constant(tick))
        if arriving is not None:
            self.v += arriving

    def _through_synapse(self, op: LIF, arriving: Array | None, constant: Array | None) -> Array | None:
        """The synaptic current, with what arrives in this tick, `constant` a part of it."""
        if self.current is None:
            return arriving
        if op.steady and constant is not None:
            self.current -= constant
        _decay(self.current, op.current_decay, op.integer)
        if arriving is not None:
            self.current += arriving
        return self.current

    def _reset(self, spike: Array) -> None:
        if isinstance(self.op, LIF) and self.op.reset == "zero":
            np.copyto(self.v, 0, where=spike.view(np.bool_))
        else:
            self.v -= self.state.theta * spike


def _decay(v: Array, decay: float, integer: bool) -> None:
    """v <- decay v, in whole numbers cut toward zero; in place, exact in any type that holds the product."""
    if not integer:
        v *= decay
    elif v.dtype.kind == "i":
        np.copyto(v, decayed(v, decay, integer))
    else:
        v *= whole_decay(decay)
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
