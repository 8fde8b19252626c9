"""One step of every neuron: the definition that all simulators are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import DECAY_BITS, IF, LIF, STBIF, Ladder, Neuron, SignedIF, StoreAndForward, Traced, whole_decay
from onnx2snn.reference.functions import exact
from onnx2snn.table import Table

FIRE: Table[Callable[..., Array]] = Table("the reference neurons")


@dataclass
class State:
    """Membrane potential v, net count n and number of spikes of either sign, all (batch, *features); ticks so far.

    peak: v as it was before firing in the last tick.  current: what the membrane took in then, after the synapse.
    """

    v: Array
    n: Array
    spikes: Array
    peak: Array
    current: Array
    tick: int = 0


def start(op: Neuron, shape: tuple[int, ...]) -> State:
    """The state before the first step for a batch of `shape`."""
    v = np.broadcast_to(exact(op.v0), shape).copy()
    return State(v, np.zeros(shape, np.int64), np.zeros(shape, np.int64), v, np.zeros_like(v))


def step(op: Neuron, state: State, current: Array, constant: Array | None = None) -> Array:
    """Integrates `current` (shift and bias included), fires, resets; returns value * spike.

    constant: the part of `current` that does not depend on spikes; None: there is none.
    """
    if isinstance(op, LIF):
        held = state.current if constant is None or not op.steady else state.current - constant
        state.current = decayed(held, op.current_decay, op.integer) + current
        state.v = decayed(state.v, op.decay, op.integer) + state.current
    else:
        state.current, state.v = current, state.v + current
    state.peak = state.v
    spike = FIRE[type(op)](op, state)
    if isinstance(op, LIF) and op.reset == "zero":
        state.v = np.where(spike > 0, np.zeros_like(state.v), state.v)
    else:
        state.v = state.v - exact(op.theta) * spike
    state.n = state.n + spike
    state.spikes = state.spikes + np.abs(spike)
    state.tick += 1
    return exact(op.value) * spike


def decayed(v: Array, decay: float, integer: bool) -> Array:
    """decay * v; in whole numbers cut toward zero.

    The product is taken in two parts, high bits and low, so that it fits where v does.
    """
    if not integer:
        return v * decay
    whole = whole_decay(decay)
    high, low = np.abs(v) >> DECAY_BITS, np.abs(v) & ((1 << DECAY_BITS) - 1)
    return np.sign(v) * (high * whole + (low * whole >> DECAY_BITS))


@FIRE.rule(IF, LIF)
def _if(op: IF | LIF, state: State) -> Array:
    return (state.v >= exact(op.theta)).astype(np.int64)


@FIRE.rule(SignedIF)
def _signed_if(op: SignedIF, state: State) -> Array:
    up = state.v >= exact(op.theta)
    down = (state.v < 0) & (state.n > op.lo)
    return up.astype(np.int64) - down


@FIRE.rule(STBIF)
def _st_bif(op: Traced, state: State) -> Array:
    theta = exact(op.theta)
    up, down = state.v >= theta, state.v < 0
    if op.ties == "even":
        odd = state.n % 2 == 1
        up = np.where(odd, up, state.v > theta)
        down = np.where(odd, state.v <= 0, down)
    return (up & (state.n < op.hi)).astype(np.int64) - (down & (state.n > op.lo))


@FIRE.rule(StoreAndForward)
def _store_and_forward(op: StoreAndForward, state: State) -> Array:
    return np.zeros_like(state.n) if state.tick < op.opens else _st_bif(op, state)


@FIRE.rule(Ladder)
def _ladder(op: Ladder, state: State) -> Array:
    """Unit by unit; v has lost n theta to the spikes so far."""
    theta = exact(op.theta)
    count = np.full_like(state.n, op.lo)
    for k in range(op.lo + 1, op.hi + 1):
        threshold = (k - state.n) * theta
        count += state.v > threshold if op.ties == "even" and k % 2 == 1 else state.v >= threshold
    return count - state.n
