"""The layers of a chain, in whole numbers of the network's own grids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Generic, TypeVar

import numpy as np

from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.ir import Array, Graph, Shape
from onnx2snn.ir.ops import DECAY_BITS, Reset
from onnx2snn.reference import cut

WHOLE = 1 << DECAY_BITS  #: a register that keeps all


@dataclass(frozen=True)
class Synapse:
    """Connections between two layers.

    weight: int64 (out, in / groups, *kernel).  label names the node in messages.  units: of each source neuron, all
    with the same weights; in one tick a source sends from none to so many spikes.
    """

    name: str
    label: str
    weight: Array
    geometry: Geometry
    units: int = 1

    @property
    def grid(self) -> int:
        """What divides every sum: the greatest common divisor of the weights, 1 where all are zero."""
        return int(np.gcd.reduce(np.abs(self.weight), axis=None)) or 1

    def range(self) -> tuple[Array, Array]:
        """Least and greatest sum that can arrive at each target in one tick, int64 (targets,)."""
        rows = self.weight.reshape(len(self.weight), -1) * self.units
        ends = np.minimum(rows, 0).sum(axis=1), np.maximum(rows, 0).sum(axis=1)
        positions = int(np.prod(self.geometry.makes)) // len(self.weight)
        return np.repeat(ends[0], positions), np.repeat(ends[1], positions)


@dataclass(frozen=True)
class Leak:
    """What makes a population leaky, the `LIF` of the IR: what its membranes and its synaptic currents keep, of 2^12,
    and what a spike does.  Where there are currents, constant charge K of a tick is what they settle at: they start
    at -K, and K is added to the membrane (see `LIF.steady`).
    """

    decay: int
    current_decay: int
    reset: Reset


@dataclass(frozen=True)
class Population:
    """Integer IF neurons: v += 2^shift x + bias / steps; spike and v -= theta where v >= theta; v starts at v0.

    synapse: what feeds it, None where the host does.  theta, v0, bias: int64 (neurons,), row-major over `shape`.
    leak: what they do otherwise; None: nothing.
    """

    name: str
    label: str
    shape: Shape
    synapse: Synapse | None
    theta: Array
    v0: Array
    bias: Array
    shift: int
    leak: Leak | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return len(self.theta)

    @property
    def subtracts(self) -> bool:
        """Whether a spike takes the threshold off."""
        return self.leak is None or self.leak.reset == "subtract"

    @property
    def most_charge(self) -> Array:
        """The constant charge of a tick from which on a neuron fires at every tick, int64 (neurons,)."""
        if self.leak is None:
            return self.theta
        return -(-self.theta * WHOLE // max(WHOLE - self.leak.current_decay, 1))

    def per_tick(self, steps: int) -> Array:
        """The part of the bias that every tick brings, cut toward zero."""
        return cut(self.bias, steps)

    def start(self, steps: int) -> Array:
        """The initial membrane with what the division of the bias leaves over."""
        return self.v0 + self.bias - steps * self.per_tick(steps)

    def current(self, steps: int) -> tuple[Array, Array]:
        """Least and greatest charge of one tick; the host's lies in [0, most_charge] (see `host`)."""
        if self.synapse is None:
            return np.zeros_like(self.theta), self.most_charge
        constant = self.per_tick(steps)
        low, high = self.synapse.range()
        return (low << self.shift) + constant, (high << self.shift) + constant

    def membrane(self, steps: int) -> tuple[Array, Array]:
        """Bounds of the membrane before its reset at any tick: no input can drive it further."""
        if self.leak is not None:
            return self._leaky_membrane(self.leak, steps)
        low, high = self.current(steps)
        start = self.start(steps)
        most = start + steps if self.synapse is None else start  # the host adds a rest below `steps`
        rest = np.maximum(most, self.theta - 1) + (steps - 1) * np.maximum(high - self.theta, 0)
        return np.minimum(start, 0) + steps * np.minimum(low, 0), rest + np.maximum(high, 0)

    def held(self, steps: int) -> tuple[Array, Array]:
        """Bounds of the synaptic current at any tick; without memory that is what arrives."""
        if self.leak is None or not self.leak.current_decay:
            return self.current(steps)
        low, high, constant = self._arriving(steps)
        most, _ = gathered(self.leak, steps)
        return _ceil(low, most) + np.minimum(constant[0], 0), _ceil(high, most) + np.maximum(constant[1], 0)

    def _leaky_membrane(self, leak: Leak, steps: int) -> tuple[Array, Array]:
        low, _, constant = self._arriving(steps)
        start, (_, high) = self.start(steps), self.held(steps)
        _, most = gathered(leak, steps)
        _, alone = gathered(replace(leak, current_decay=0), steps)
        bottom = np.minimum(start, 0) + _ceil(np.minimum(low, 0), most) + _ceil(np.minimum(constant[0], 0), alone)
        over = _ceil(np.maximum(high - self.theta, 0), alone) if self.subtracts else 0
        return bottom, np.maximum(start, self.theta) + over + np.maximum(high, 0)

    def _arriving(self, steps: int) -> tuple[Array, Array, tuple[Array, Array]]:
        """Least and greatest charge that spikes bring in a tick; the ends of what comes at every tick."""
        if self.synapse is None:
            nothing = np.zeros_like(self.theta)
            return nothing, nothing, (nothing, self.most_charge)
        low, high = self.synapse.range()
        constant = self.per_tick(steps)
        return low << self.shift, high << self.shift, (constant, constant)


@lru_cache(maxsize=1 << 8)
def gathered(leak: Leak, steps: int) -> tuple[float, float]:
    """What one unit a tick comes to after so many ticks: in the synaptic current, and in the membrane behind it."""
    current = membrane = 0.0
    for _ in range(steps):
        current = current * leak.current_decay / WHOLE + 1
        membrane = membrane * leak.decay / WHOLE + current
    return current, membrane


def _ceil(charge: Array, worth: float) -> Array:
    """A bound of charge times what it is worth, away from zero."""
    return np.sign(charge) * np.ceil(np.abs(charge) * (worth * (1 + 1e-9))).astype(np.int64)


@dataclass(frozen=True)
class UnitPopulation:
    """Neurons of code `ladder`: binary units side by side, without memory; a unit passes where x >= its breakpoint.

    synapse: what feeds it, None where the host does.  breakpoints: int64 (units, neurons), ascending along the first
    axis, row-major over `shape`.  A neuron's count is `lo` plus the number of its units that pass; x is the sum over
    passing units alone, so that what counts below zero come to is in the breakpoints of the layer behind.
    """

    name: str
    label: str
    shape: Shape
    synapse: Synapse | None
    breakpoints: Array
    lo: int
    shift: ClassVar[int] = 0

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.breakpoints.shape[1]

    @property
    def units(self) -> int:
        """Units of a neuron."""
        return len(self.breakpoints)


@dataclass(frozen=True)
class Output:
    """The readout: y = scale * (sum of what arrives + constant) + bias, scale and bias float64 (outputs,).

    constant: int64 (outputs,), what counts below zero come to where only passing units send; else 0.
    """

    name: str
    label: str
    shape: Shape
    synapse: Synapse
    scale: Array
    bias: Array
    constant: Array
    shift: ClassVar[int] = 0

    @property
    def size(self) -> int:
        """Number of outputs."""
        return len(self.scale)

    def per_tick(self, steps: int) -> Array:
        """What every tick brings beside the sums: nothing, int64 (outputs,)."""
        return np.zeros(len(self.scale), np.int64)

    def current(self, steps: int) -> tuple[Array, Array]:
        """Least and greatest sum of one tick."""
        return self.synapse.range()

    def membrane(self, steps: int) -> tuple[Array, Array]:
        """Bounds of the sum at any tick."""
        low, high = self.synapse.range()
        return steps * low, steps * high


P = TypeVar("P", Population, UnitPopulation)


@dataclass(frozen=True)
class ChainOf(Generic[P]):
    """A chain network.  host: the graph from the input to the accumulator of the first population."""

    host: Graph
    populations: tuple[P, ...]
    output: Output

    @property
    def layers(self) -> tuple[P | Output, ...]:
        """Populations and readout, in order."""
        return (*self.populations, self.output)


Chain = ChainOf[Population]
LadderChain = ChainOf[UnitPopulation]  #: its first units are comparators of the host, whose spikes the chip is given
