"""When and how a population runs in the compiled loop of `compiled`, which needs numba (extra `fast`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import numpy as np

from onnx2snn.ir import Array
from onnx2snn.ir.ops import DECAY_BITS, IF, LIF, STBIF, Neuron, SignedIF, StoreAndForward, Traced, whole_decay

CODES = (
    IF,
    SignedIF,
    LIF,
    STBIF,
    StoreAndForward,
)  #: `Ladder` takes one step: a loop over ticks has nothing to give it
SWITCH = "ONNX2SNN_NUMBA"  #: environment variable; 0: never, 1: from the first run on, otherwise where it is worth it
WORTH = 1 << 29  #: neuron updates that take NumPy about as long as loading numba takes
MODULE = "onnx2snn.backends.numpy.compiled"
DECAYS, TRUNCATES, WHOLE = 1, 2, 3  #: how a membrane leaks: in real numbers, in whole ones held as real, in int64

Loop = Callable[..., int]


# What follows is compiled into the loop, and numba's cache on disk looks at the date of compiled.py alone: change both.
class Rule(NamedTuple):
    """When a neuron fires and what is left of its membrane, as numbers of the types that they are used in.

    low, high: the counts that it stays above and below.  decay, unit: factors of the membrane, whole: the decay in
    units of 2^-12.
    """

    unsigned: bool
    even: bool
    low: np.generic
    high: np.generic
    leak: int
    decay: np.generic
    unit: np.generic
    whole: int
    to_zero: bool
    gain: np.generic


class Block(NamedTuple):
    """Ticks up to `stop`; constant charge ends at `ends`, spikes begin at `opens`, silence counts from `least` on."""

    first: int
    stop: int
    ends: int
    opens: int
    least: int


def loop(updates: int) -> Loop | None:
    """The compiled loop for a simulator that comes to so many neuron updates; None: NumPy goes on."""
    switch = os.environ.get(SWITCH, "")
    if switch == "0" or not (switch == "1" or updates >= WORTH or MODULE in sys.modules):
        return None
    try:
        return import_module(MODULE).advance
    except ImportError:
        return None


def rule_of(op: Neuron, kind: np.dtype[np.generic], tracer: np.dtype[np.signedinteger], gain: int) -> Rule:
    """The rule of a neuron with membranes of `kind` and counts of `tracer`."""
    number, bounds = kind.type, np.iinfo(tracer)
    low, high = op.range if isinstance(op, (SignedIF, Traced)) else (0, None)
    leaks, decay, whole = 0, 1.0, 0
    if isinstance(op, LIF):
        leaks = DECAYS if not op.integer else WHOLE if kind.kind == "i" else TRUNCATES
        whole = whole_decay(op.decay)
        decay = whole if op.integer else op.decay
    return Rule(
        unsigned=isinstance(op, (IF, LIF)),
        even=isinstance(op, Traced) and op.ties == "even",
        low=tracer.type(max(low, bounds.min)),
        high=tracer.type(bounds.max if high is None else min(high, bounds.max)),
        leak=leaks,
        decay=number(decay),
        unit=number(2.0**-DECAY_BITS),
        whole=whole,
        to_zero=isinstance(op, LIF) and op.reset == "zero",
        gain=number(gain),
    )


def rows(part: Array, features: tuple[int, ...], kind: np.dtype[np.generic]) -> Array:
    """What broadcasts to (batch, *features), as (batch or 1, features)."""
    whole = np.broadcast_to(part, (*part.shape[: part.ndim - len(features)], *features))
    return np.ascontiguousarray(whole, kind).reshape(-1, int(np.prod(features)))
