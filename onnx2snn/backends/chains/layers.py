"""The layers of a chain, in whole numbers of the network's own grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.ir import Array, Graph, Shape
from onnx2snn.reference import cut


@dataclass(frozen=True)
class Synapse:
    """Connections between two layers.  weight: int64 (out, in / groups, *kernel); label names the node in messages."""

    name: str
    label: str
    weight: Array
    geometry: Geometry

    def range(self) -> tuple[Array, Array]:
        """Least and greatest sum that can arrive at each target in one tick, int64 (targets,), every source 0 or 1."""
        rows = self.weight.reshape(len(self.weight), -1)
        ends = np.minimum(rows, 0).sum(axis=1), np.maximum(rows, 0).sum(axis=1)
        positions = int(np.prod(self.geometry.makes)) // len(self.weight)
        return np.repeat(ends[0], positions), np.repeat(ends[1], positions)


@dataclass(frozen=True)
class Population:
    """Integer IF neurons: v += 2^shift x + bias / steps; spike and v -= theta where v >= theta; v starts at v0.

    synapse: what feeds it, None where the host does.  theta, v0, bias: int64 (neurons,), row-major over `shape`.
    """

    name: str
    label: str
    shape: Shape
    synapse: Synapse | None
    theta: Array
    v0: Array
    bias: Array
    shift: int

    @property
    def size(self) -> int:
        """Number of neurons."""
        return len(self.theta)

    def per_tick(self, steps: int) -> Array:
        """The part of the bias that every tick brings, cut toward zero."""
        return cut(self.bias, steps)

    def start(self, steps: int) -> Array:
        """The initial membrane with what the division of the bias leaves over."""
        return self.v0 + self.bias - steps * self.per_tick(steps)

    def current(self, steps: int) -> tuple[Array, Array]:
        """Least and greatest charge of one tick; the host's lies in [0, theta] (see `host`)."""
        if self.synapse is None:
            return np.zeros_like(self.theta), self.theta
        constant = self.per_tick(steps)
        low, high = self.synapse.range()
        return (low << self.shift) + constant, (high << self.shift) + constant

    def membrane(self, steps: int) -> tuple[Array, Array]:
        """Bounds of the membrane before its reset at any tick: no input can drive it further."""
        low, high = self.current(steps)
        start = self.start(steps)
        most = start + steps if self.synapse is None else start  # the host adds a rest below `steps`
        rest = np.maximum(most, self.theta - 1) + (steps - 1) * np.maximum(high - self.theta, 0)
        return np.minimum(start, 0) + steps * np.minimum(low, 0), rest + np.maximum(high, 0)


@dataclass(frozen=True)
class Output:
    """The readout: y = scale * (sum of what arrives) + bias, scale and bias float64 (outputs,)."""

    name: str
    label: str
    shape: Shape
    synapse: Synapse
    scale: Array
    bias: Array
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


@dataclass(frozen=True)
class Chain:
    """A chain network.  host: the graph from the input to the accumulator of the first population."""

    host: Graph
    populations: tuple[Population, ...]
    output: Output

    @property
    def layers(self) -> tuple[Population | Output, ...]:
        """Populations and readout, in order."""
        return (*self.populations, self.output)
