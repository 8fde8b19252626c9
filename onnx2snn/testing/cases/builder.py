"""What the cases are made with: a builder of small quantised networks, and the table they stand in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onnx2snn.ir import Graph, Op
from onnx2snn.ir.ops import BatchNorm, Conv, Dense, Input, Quantise, Relu, Reshape

CASES: dict[str, Callable[[], Graph]] = {}


def case(function: Callable[[], Graph]) -> Callable[[], Graph]:
    """Registers a case under its name."""
    CASES[function.__name__.replace("_", "-")] = function
    return function


class NetworkBuilder:
    """Adds trained-network ops one after the other to a graph; every method returns the name of the node it made."""

    def __init__(self, shape: Sequence[int], seed: int = 0) -> None:
        self.graph = Graph("case")
        self.random = np.random.default_rng(seed)
        self.last = self.graph.add("input", Input(shape=tuple(shape)))

    def add(self, op: Op, *inputs: str) -> str:
        """Adds `op` behind `inputs`, or behind the node added last."""
        self.last = self.graph.add(self.graph.fresh(op.name), op, inputs or (self.last,))
        return self.last

    def quantise(self, scale: float = 0.3, low: int = 0, high: int = 7, relu: bool = False) -> str:
        """A quantiser with counts from low to high."""
        if relu:
            self.add(Relu())
        step = np.asarray(np.float32(scale), np.float64)  # a file holds float32
        return self.add(Quantise(scale=step, zero_point=0, qmin=low, qmax=high))

    def conv(self, out: int, kernel: Sequence[int] = (3, 3), source: str | None = None, **options: Any) -> str:
        """A convolution with whole weights of 4 bits, a scale for each channel, and a bias."""
        source = source or self.last
        rank, groups = len(kernel), options.get("groups", 1)
        shape = (out, self.graph.shape(source)[0] // groups, *kernel)
        settings = {"strides": (1,) * rank, "pads": (0,) * (2 * rank), "dilations": (1,) * rank, **options}
        return self.add(Conv(**self._numbers(shape), **settings), source)

    def dense(self, out: int) -> str:
        """A fully connected layer, its input flattened."""
        shape = self.graph.shape(self.last)
        if len(shape) > 1:
            self.add(Reshape(shape=(int(np.prod(shape)),)))
        return self.add(Dense(**self._numbers((out, int(np.prod(shape))))))

    def batch_norm(self, gamma: Sequence[float]) -> str:
        """A batch normalisation with these factors."""
        count = len(gamma)
        mean, beta = self.random.normal(0, 0.3, (2, count))
        return self.add(
            BatchNorm(gamma=np.asarray(gamma), beta=beta, mean=mean, var=self.random.uniform(0.5, 2, count))
        )

    def done(self, *outputs: str) -> Graph:
        """The graph, its output the node added last unless others are named."""
        self.graph.outputs = outputs or (self.last,)
        return self.graph

    def _numbers(self, shape: tuple[int, ...]) -> dict[str, Any]:
        return {
            "weight": self.random.integers(-7, 8, shape).astype(np.int8),
            "scale": self.random.uniform(0.03, 0.12, shape[0]),
            "bias": self.random.normal(0, 0.3, shape[0]),
        }


def image(channels: int = 2, size: int = 6, seed: int = 0) -> NetworkBuilder:
    """A network that begins with a quantised image."""
    net = NetworkBuilder((channels, size, size), seed)
    net.quantise(1 / 15, 0, 15)
    return net


def finish(net: NetworkBuilder) -> Graph:
    """The network with a last population and a dense layer behind it."""
    net.quantise(relu=True)
    net.dense(3)
    return net.done()
