"""The living definition of every op that has no state: one small function each.

Inputs and outputs carry the batch axis first. Integers in, integers out, exactly; real numbers are float64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnx2snn.ir.op import Array, Op
from onnx2snn.ir.ops import (
    Add,
    Affine,
    AveragePool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    Dense,
    Encoder,
    LeakyRelu,
    Maximum,
    MaxPool,
    Minimum,
    Multiply,
    Quantise,
    QuantiserRounding,
    Readout,
    Relu,
    Softmax,
    Staircase,
    Steps,
    SumPool,
    Unary,
)
from onnx2snn.reference import elementwise, windows
from onnx2snn.reference.elementwise import ROUNDINGS
from onnx2snn.table import Table

FUNCTIONS: Table[Callable[..., Array]] = Table("the NumPy reference")


def exact(array: Array) -> Array:
    """int64 for integers and float64 for everything else."""
    return array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)


def apply(op: Op, *inputs: Array) -> Array:
    """The value of a stateless op on batched inputs."""
    return FUNCTIONS[type(op)](op, *inputs)


def round_to(x: Array, rounding: QuantiserRounding) -> Array:
    """The whole number that a rounding mode gives."""
    return ROUNDINGS[rounding](x)


def scaled(total: Array, scale: Array | None, bias: Array | None, channel_axis: int) -> Array:
    """scale * total + bias with both per channel; integers stay integers where there is neither."""
    shape = [1] * total.ndim
    shape[channel_axis] = -1
    if scale is not None:
        total = total * exact(scale).reshape(shape)
    return total if bias is None else total + exact(bias).reshape(shape)


@FUNCTIONS.rule(Conv)
def _conv(op: Conv, x: Array) -> Array:
    return scaled(windows.conv(op, x, exact(op.weight)), op.scale, op.bias, 1)


@FUNCTIONS.rule(Dense)
def _dense(op: Dense, x: Array) -> Array:
    return scaled(x @ exact(op.weight).T, op.scale, op.bias, -1)


@FUNCTIONS.rule(Affine)
def _affine(op: Affine, x: Array) -> Array:
    y = x if op.scale is None else x * exact(op.scale)
    return y if op.shift is None else y + exact(op.shift)


@FUNCTIONS.rule(Add)
def _add(_: Add, *xs: Array) -> Array:
    return sum(xs[1:], xs[0])


@FUNCTIONS.rule(Concat)
def _concat(op: Concat, *xs: Array) -> Array:
    return np.concatenate(xs, axis=op.axis + 1)


@FUNCTIONS.rule(SumPool)
def _sum_pool(op: SumPool, x: Array) -> Array:
    return windows.sum_pool(op, x)


@FUNCTIONS.rule(MaxPool)
def _max_pool(op: MaxPool, x: Array) -> Array:
    return windows.max_pool(op, x)


@FUNCTIONS.rule(AveragePool)
def _average_pool(op: AveragePool, x: Array) -> Array:
    return windows.sum_pool(op, x) / windows.average_divisor(op, x.shape[1:])


@FUNCTIONS.rule(Relu)
def _relu(_: Relu, x: Array) -> Array:
    return np.maximum(x, 0)


@FUNCTIONS.rule(Clip)
def _clip(op: Clip, x: Array) -> Array:
    return np.clip(x, op.low, op.high)


@FUNCTIONS.rule(LeakyRelu)
def _leaky_relu(op: LeakyRelu, x: Array) -> Array:
    return np.where(x >= 0, x, exact(op.slope) * x)


@FUNCTIONS.rule(Unary)
def _unary(op: Unary, x: Array) -> Array:
    return elementwise.unary(op, x)


@FUNCTIONS.rule(Multiply)
def _multiply(_: Multiply, a: Array, b: Array) -> Array:
    return a * b


@FUNCTIONS.rule(Minimum)
def _minimum(_: Minimum, a: Array, b: Array) -> Array:
    return np.minimum(a, b)


@FUNCTIONS.rule(Maximum)
def _maximum(_: Maximum, a: Array, b: Array) -> Array:
    return np.maximum(a, b)


@FUNCTIONS.rule(Softmax)
def _softmax(op: Softmax, x: Array) -> Array:
    return elementwise.softmax(x, op.axis + 1, op.log)


@FUNCTIONS.rule(BatchNorm)
def _batch_norm(op: BatchNorm, x: Array) -> Array:
    shape = (-1,) + (1,) * (x.ndim - 2)
    gamma, beta, mean, var = (exact(a).reshape(shape) for a in (op.gamma, op.beta, op.mean, op.var))
    return gamma * (x - mean) / np.sqrt(var + op.epsilon) + beta


@FUNCTIONS.rule(Quantise)
def _quantise(op: Quantise, x: Array) -> Array:
    code = round_to(x / exact(op.scale), op.rounding) + op.zero_point
    return exact(op.scale) * (np.clip(code, op.qmin, op.qmax) - op.zero_point)


@FUNCTIONS.rule(Steps)
def _steps(op: Steps, x: Array) -> Array:
    climbed = (height * (x >= threshold) for threshold, height in zip(op.breakpoints, op.heights, strict=True))
    return sum(climbed, np.full(x.shape, op.base))


def counts_of(op: Staircase | Encoder, x: Array) -> Array:
    """The count n that a staircase gives to each input, as int64."""
    return np.clip(round_to(x / exact(op.scale), op.rounding), op.lo, op.hi).astype(np.int64)


@FUNCTIONS.rule(Staircase)
def _staircase(op: Staircase, x: Array) -> Array:
    return exact(op.scale) * counts_of(op, x)


@FUNCTIONS.rule(Encoder)
def _encoder(op: Encoder, x: Array) -> Array:
    return exact(op.value) * counts_of(op, x)


@FUNCTIONS.rule(Readout)
def _readout(op: Readout, x: Array) -> Array:
    return exact(op.scale) * x + exact(op.bias)
