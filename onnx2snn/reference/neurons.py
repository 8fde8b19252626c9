"""One step of every neuron: the definition that all simulators are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import IF, STBIF, Neuron, SignedIF
from onnx2snn.reference.functions import exact
from onnx2snn.table import Table

FIRE: Table[Callable[..., Array]] = Table("the reference neurons")


@dataclass
class State:
    """Membrane potential v, net count n and number of spikes of either sign, all shaped (batch, *features)."""

    v: Array
    n: Array
    spikes: Array


def start(op: Neuron, shape: tuple[int, ...]) -> State:
    """The state before the first step for a batch of `shape`."""
    v = np.broadcast_to(exact(op.v0), shape).copy()
    return State(v, np.zeros(shape, np.int64), np.zeros(shape, np.int64))


def step(op: Neuron, state: State, current: Array) -> Array:
    """Integrates `current` (shift and bias included), fires, resets softly; returns value * spike."""
    state.v = state.v + current
    spike = FIRE[type(op)](op, state)
    state.v = state.v - exact(op.theta) * spike
    state.n = state.n + spike
    state.spikes = state.spikes + np.abs(spike)
    return exact(op.value) * spike


@FIRE.rule(IF)
def _if(op: IF, state: State) -> Array:
    return (state.v >= exact(op.theta)).astype(np.int64)


@FIRE.rule(SignedIF)
def _signed_if(op: SignedIF, state: State) -> Array:
    up = state.v >= exact(op.theta)
    down = (state.v < 0) & (state.n > op.lo)
    return up.astype(np.int64) - down


@FIRE.rule(STBIF)
def _st_bif(op: STBIF, state: State) -> Array:
    theta = exact(op.theta)
    up, down = state.v >= theta, state.v < 0
    if op.ties == "even":
        odd = state.n % 2 == 1
        up = np.where(odd, up, state.v > theta)
        down = np.where(odd, state.v <= 0, down)
    return (up & (state.n < op.hi)).astype(np.int64) - (down & (state.n > op.lo))
