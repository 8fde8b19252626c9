"""Tiny quantised networks, one for each thing a backend may meet: the cases of the conformance suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onnx2snn.ir import Graph, Op
from onnx2snn.ir.ops import (
    Add,
    Affine,
    AveragePool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Input,
    MaxPool,
    Quantise,
    Relu,
    Reshape,
)

CASES: dict[str, Callable[[], Graph]] = {}


def _case(function: Callable[[], Graph]) -> Callable[[], Graph]:
    CASES[function.__name__.strip("_").replace("_", "-")] = function
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

    def done(self) -> Graph:
        """The graph, its output the node added last."""
        self.graph.outputs = (self.last,)
        return self.graph

    def _numbers(self, shape: tuple[int, ...]) -> dict[str, Any]:
        return {
            "weight": self.random.integers(-7, 8, shape).astype(np.int8),
            "scale": self.random.uniform(0.03, 0.12, shape[0]),
            "bias": self.random.normal(0, 0.3, shape[0]),
        }


def _image(channels: int = 2, size: int = 6, seed: int = 0) -> NetworkBuilder:
    net = NetworkBuilder((channels, size, size), seed)
    net.quantise(1 / 15, 0, 15)
    return net


def _finish(net: NetworkBuilder) -> Graph:
    net.quantise(relu=True)
    net.dense(3)
    return net.done()


@_case
def dense_chain() -> Graph:
    net = NetworkBuilder((9,))
    net.quantise(1 / 15, 0, 15)
    net.dense(8)
    net.quantise(relu=True)
    net.dense(6)
    return _finish(net)


@_case
def conv_chain() -> Graph:
    net = _image()
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.conv(5, strides=(2, 2))
    return _finish(net)


@_case
def dilated_grouped_conv() -> Graph:
    net = _image(4, 8)
    net.conv(4, dilations=(2, 2), groups=2)
    net.quantise(relu=True)
    net.conv(8, kernel=(2, 3), pads=(0, 1, 1, 0), groups=4)
    return _finish(net)


@_case
def conv_1d() -> Graph:
    net = NetworkBuilder((2, 12))
    net.quantise(1 / 15, 0, 15)
    net.conv(4, kernel=(3,))
    net.quantise(relu=True)
    net.conv(4, kernel=(3,), strides=(2,))
    return _finish(net)


@_case
def batch_norm_signs() -> Graph:
    net = _image()
    net.conv(4)
    net.batch_norm([0.8, -0.9, 0.0, 1.2])
    net.quantise(relu=True)
    net.conv(3)
    net.batch_norm([-0.7, 0.6, 1.0])
    return _finish(net)


@_case
def average_pool() -> Graph:
    net = _image(2, 8)
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.add(AveragePool(kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, dilations=(1, 1)))
    net.conv(4)
    return _finish(net)


@_case
def padded_average_pool() -> Graph:
    net = _image()
    net.conv(3)
    net.quantise(relu=True)
    net.add(AveragePool(kernel=(3, 3), strides=(2, 2), pads=(1,) * 4, dilations=(1, 1)))
    net.quantise(0.2)
    net.dense(4)
    return _finish(net)


@_case
def max_pool_first() -> Graph:
    net = _image(2, 8)
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.add(MaxPool(kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, dilations=(1, 1)))
    net.conv(4)
    return _finish(net)


@_case
def max_pool_later() -> Graph:
    net = _image(2, 8)
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.add(MaxPool(kernel=(3, 3), strides=(2, 2), pads=(1,) * 4, dilations=(1, 1)))
    return _finish(net)


@_case
def max_pool_behind_a_shared_neuron() -> Graph:
    net = _image(2, 6)
    net.conv(3, pads=(1, 1, 1, 1))
    shared = net.quantise(relu=True)
    pool = net.add(MaxPool(kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, dilations=(1, 1)))
    net.conv(3, kernel=(2, 2), strides=(2, 2), source=shared)
    net.quantise(0.3, relu=True)
    net.add(Concat(axis=0), pool, net.last)
    return _finish(net)


@_case
def residual_add_of_equal_scales() -> Graph:
    net = _image(3)
    net.conv(3, pads=(1, 1, 1, 1))
    first = net.quantise(0.25, relu=True)
    net.conv(3, pads=(1, 1, 1, 1))
    second = net.quantise(0.25, relu=True)
    net.add(Add(), first, second)
    return _finish(net)


@_case
def residual_add_of_unequal_scales() -> Graph:
    net = _image(3)
    net.conv(4, pads=(1, 1, 1, 1))
    first = net.quantise(0.21, relu=True)
    branch = net.conv(4, pads=(1, 1, 1, 1), source=first)
    net.add(Add(), branch, first)
    return _finish(net)


@_case
def max_pool_behind_a_residual_add() -> Graph:
    net = _image(3)
    net.conv(4, pads=(1, 1, 1, 1))
    first = net.quantise(0.21, relu=True)
    branch = net.conv(4, pads=(1, 1, 1, 1), source=first)
    net.add(Add(), branch, first)
    net.quantise(0.27, relu=True)
    net.add(MaxPool(kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, dilations=(1, 1)))
    return _finish(net)


@_case
def add_of_a_node_to_itself() -> Graph:
    net = _image(2)
    net.conv(3)
    one = net.quantise(0.2, relu=True)
    net.add(Add(), one, one)
    return _finish(net)


@_case
def concat() -> Graph:
    net = _image(2)
    image = net.last
    net.conv(2, source=image)
    first = net.quantise(0.25, relu=True)
    net.conv(3, source=image)
    second = net.quantise(0.25, relu=True)
    net.add(Concat(axis=0), first, second)
    net.conv(4)
    return _finish(net)


@_case
def signed_counts() -> Graph:
    net = _image(2)
    net.conv(3)
    net.quantise(0.4, -3, 4)
    net.conv(3)
    return _finish(net)


@_case
def affine_after_a_neuron() -> Graph:
    net = _image(3)
    net.conv(4)
    net.quantise(0.2, relu=True)
    scale, shift = np.array([0.5, -1.5, 2.0, 0.0]), np.array([0.1, 0.2, -0.3, 0.7])
    net.add(Affine(scale=scale.reshape(4, 1, 1), shift=shift.reshape(4, 1, 1)))
    net.quantise(0.3, 0, 7)
    net.dense(4)
    return _finish(net)


@_case
def quantised_output() -> Graph:
    net = _image(2)
    net.conv(3)
    net.quantise(relu=True)
    net.dense(4)
    net.quantise(0.2, -8, 7)
    return net.done()


@_case
def analog_input() -> Graph:
    net = NetworkBuilder((2, 6, 6))
    net.conv(3)
    net.quantise(0.2, relu=True)
    net.conv(3)
    return _finish(net)
