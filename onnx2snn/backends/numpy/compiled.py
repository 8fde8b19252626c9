"""The neuron update over a block of ticks as one compiled loop (numba): tile after tile, each through all its ticks.

A tile of neurons stays in the cache from tick to tick. Every operation is one that `Population` does in NumPy, in the
same order and the same type, with no fast-math: counts, spikes, membranes and trains are equal bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from onnx2snn.backends.numpy.fused import DECAYS, TRUNCATES, WHOLE, Block, Rule
from onnx2snn.ir import Array
from onnx2snn.ir.ops import DECAY_BITS

TILE = 2048  #: neurons at a time: their state and a tick of what arrives fit 32 KiB in float32
LOW = (1 << DECAY_BITS) - 1


def compiled(function: Callable[..., Any]) -> Any:
    """Compiled for each combination of types at its first call, and kept on disk where a folder can be written."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # numba finds no place to write
        return numba.njit(function)


@compiled
def decay(v: Array, rule: Rule) -> None:
    """What a leak leaves of the membranes."""
    if rule.leak == DECAYS:
        for i in range(len(v)):
            v[i] = v[i] * rule.decay
    elif rule.leak == TRUNCATES:
        for i in range(len(v)):
            v[i] = np.trunc(v[i] * rule.decay * rule.unit)
    elif rule.leak == WHOLE:
        for i in range(len(v)):
            size = np.int64(abs(v[i]))
            left = (size >> DECAY_BITS) * rule.whole + ((size & LOW) * rule.whole >> DECAY_BITS)
            v[i] = left if v[i] > 0 else -left


@compiled
def add(v: Array, x: Array, gain: float) -> None:
    """A signal arrives."""
    for i in range(len(v)):
        v[i] += v.dtype.type(x[i]) * gain


@compiled
def add_with_part(v: Array, x: Array, gain: float, part: Array) -> None:
    """A signal and constant charge arrive, added up before."""
    for i in range(len(v)):
        v[i] += v.dtype.type(x[i]) * gain + part[i]


@compiled
def add_part(v: Array, part: Array) -> None:
    """Constant charge arrives."""
    for i in range(len(v)):
        v[i] += part[i]


@compiled
def fire_up(v: Array, n: Array, theta: Array, out: Array) -> np.int32:
    """Unsigned spikes, soft reset; returns how many."""
    fired = np.int32(0)
    for i in range(len(v)):
        spike = v[i] >= theta[i]
        out[i] = spike
        n[i] += spike
        v[i] -= theta[i] * v.dtype.type(spike)
        fired = np.int32(fired + spike)
    return fired


@compiled
def fire_to_zero(v: Array, n: Array, theta: Array, out: Array) -> np.int32:
    """Unsigned spikes, reset to zero; returns how many."""
    fired = np.int32(0)
    for i in range(len(v)):
        spike = v[i] >= theta[i]
        out[i] = spike
        n[i] += spike
        v[i] = v.dtype.type(0) if spike else v[i]
        fired = np.int32(fired + spike)
    return fired


@compiled
def fire_both(v: Array, n: Array, theta: Array, out: Array, rule: Rule) -> np.int32:
    """Spikes of both signs between the ends of a tracer, soft reset; returns how many."""
    fired = np.int32(0)
    for i in range(len(v)):
        up = (v[i] >= theta[i]) & (n[i] < rule.high)
        down = (v[i] < v.dtype.type(0)) & (n[i] > rule.low)
        spike = np.int8(np.int8(up) - np.int8(down))
        out[i] = spike
        n[i] += spike
        v[i] -= theta[i] * v.dtype.type(spike)
        fired = np.int32(fired + (up | down))
    return fired


@compiled
def fire_to_even(v: Array, n: Array, theta: Array, out: Array, rule: Rule) -> np.int32:
    """As `fire_both`; a membrane exactly on a step goes to the even count."""
    fired = np.int32(0)
    for i in range(len(v)):
        odd = (n[i] & n.dtype.type(1)) != n.dtype.type(0)
        up = ((v[i] > theta[i]) | (odd & (v[i] == theta[i]))) & (n[i] < rule.high)
        down = ((v[i] < v.dtype.type(0)) | (odd & (v[i] == v.dtype.type(0)))) & (n[i] > rule.low)
        spike = np.int8(np.int8(up) - np.int8(down))
        out[i] = spike
        n[i] += spike
        v[i] -= theta[i] * v.dtype.type(spike)
        fired = np.int32(fired + (up | down))
    return fired


@compiled
def through(
    rule: Rule,
    block: Block,
    ticks: tuple[int, int, int],
    place: tuple[int, int, int],
    v: Array,
    theta: Array,
    n: Array,
    values: Array,
    parts: tuple[Array, Array],
    train: Array,
    fired: Array,
) -> int:
    """A tile through its ticks, or to the first silent one from tick `least` on; returns the tick after its last.

    ticks: start, stop, least.  place: the sample, and the features a ... z - 1.
    """
    start, stop, least = ticks
    sample, a, z = place
    shared = sample if len(parts[0]) > 1 else 0
    v, n, theta = v[sample, a:z], n[sample, a:z], theta[a:z]
    for tick in range(start, stop):
        row = tick - block.first
        part = (parts[0] if tick == 0 else parts[1])[shared, a:z]
        if rule.leak:
            decay(v, rule)
        if row < len(values) and tick < block.ends:
            add_with_part(v, values[row, sample, a:z], rule.gain, part)
        elif row < len(values):
            add(v, values[row, sample, a:z], rule.gain)
        elif tick < block.ends:
            add_part(v, part)
        if tick < block.opens:
            if len(train):
                train[row, sample, a:z] = 0
            continue
        out = train[row, sample, a:z]
        if rule.to_zero:
            spikes = fire_to_zero(v, n, theta, out)
        elif rule.unsigned:
            spikes = fire_up(v, n, theta, out)
        elif rule.even:
            spikes = fire_to_even(v, n, theta, out, rule)
        else:
            spikes = fire_both(v, n, theta, out, rule)
        fired[row] += spikes
        if spikes == 0 and tick >= least:
            return tick + 1
    return stop


@compiled
def advance(
    rule: Rule,
    block: Block,
    v: Array,
    theta: Array,
    n: Array,
    values: Array,
    parts: tuple[Array, Array],
    train: Array,
    fired: Array,
) -> int:
    """All tiles through a block; returns the tick after the first silent one, `block.stop` + 1 where there is none.

    v, n: (batch, features).  theta: (features,).  values: (ticks, batch, features), or fewer ticks.  parts: charge at
    tick 0 and at the others, (batch or 1, features).  train: the spikes, (ticks, batch, features), or none.
    fired: spikes in each tick, at first 0.
    A tile that is silent when nothing arrives any more waits for the last one: only its leak goes on until then.
    """
    batch, features = v.shape
    tiles = (features + TILE - 1) // TILE
    done = np.empty((batch, tiles), np.int64)
    for sample in range(batch):
        for tile in range(tiles):
            place = (sample, tile * TILE, min((tile + 1) * TILE, features))
            ticks = (block.first, block.stop, block.least)
            done[sample, tile] = through(rule, block, ticks, place, v, theta, n, values, parts, train, fired)
    last = done.max()
    for sample in range(batch):
        for tile in range(tiles):
            if done[sample, tile] < last:
                place = (sample, tile * TILE, min((tile + 1) * TILE, features))
                ticks = (done[sample, tile], last, block.stop)
                through(rule, block, ticks, place, v, theta, n, values, parts, train, fired)
    silent = last > block.least and fired[last - 1 - block.first] == 0
    return last if silent else block.stop + 1
