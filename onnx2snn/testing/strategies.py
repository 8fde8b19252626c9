"""Hypothesis strategies: random ops, random graphs of them, and random small quantised networks with inputs.

`ops()` and `graphs()` make anything that the IR allows, for tests of what must hold for every op (printing,
saving). `networks()` makes quantised networks as a frontend reads them, for tests of what must hold for their
meaning, and `inputs(graph)` samples for them, some exactly on a tie.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from onnx2snn.extras import need
from onnx2snn.ir import Array, Graph, Op, Origin, Shape
from onnx2snn.ir.ops import (
    LIF,
    NEURONS,
    Add,
    Affine,
    AveragePool,
    BatchNorm,
    Clip,
    Combination,
    Concat,
    Conv,
    Dense,
    Dilate,
    Encoder,
    Function,
    Gather,
    Input,
    LeakyRelu,
    Maximum,
    MaxPool,
    Minimum,
    Multiply,
    Pad,
    Quantise,
    Readout,
    Relu,
    Reset,
    Reshape,
    SignedIF,
    Softmax,
    Staircase,
    Steps,
    StoreAndForward,
    SumPool,
    Traced,
    Transpose,
    Unary,
)
from onnx2snn.ir.ops.spatial import window_output
from onnx2snn.table import Table
from onnx2snn.testing.random_networks import inputs, networks

need("onnx2snn.testing.strategies", "hypothesis")
from hypothesis import strategies as st  # noqa: E402

__all__ = ["OPS", "OpRule", "arrays", "broadcastable", "graphs", "inputs", "networks", "ops"]

Draw = Callable[[st.SearchStrategy[Any]], Any]
OpRule = Callable[[Draw, type[Any], Shape], Op]  #: an op of this kind that takes features of this shape

#: For every op that reads something, how to draw one; a backend package may add rules for ops of its own.
OPS: Table[OpRule] = Table("the Hypothesis strategies")

names = st.from_regex(r"[A-Za-z0-9_][\w./-]{0,7}", fullmatch=True)
shapes = st.lists(st.integers(1, 4), min_size=0, max_size=3).map(tuple)
reals = st.floats(-1e6, 1e6) | st.sampled_from([-0.0, 5e-324, 0.1, 1e-300, 2.0**52 + 1])
positives = st.floats(1e-6, 1e6) | st.sampled_from([5e-324, 0.1, 1.0])
wholes = st.integers(-(2**62), 2**62)
roundings = st.sampled_from(["half-even", "half-up"])
WINDOWED = (Conv, SumPool, MaxPool, AveragePool)  #: take a channel axis and spatial ones
ANY_RANK = (Relu, Clip, Add, Reshape, Transpose, Pad, LeakyRelu, Unary, Multiply, Minimum, Maximum, Steps)


@st.composite
def arrays(draw: Draw, shape: Shape, entries: st.SearchStrategy[Any] = reals, dtype: Any = None) -> Array:
    """Arrays of `shape` with these entries; float64, float32, int64 or int8 unless `dtype` says."""
    kind = np.dtype(draw(st.sampled_from([np.float64, np.float32, np.int64, np.int8])) if dtype is None else dtype)
    if dtype is None and kind != np.float64:
        entries = {"f4": st.floats(-1e6, 1e6, width=32), "i8": wholes, "i1": st.integers(-128, 127)}[kind.str[1:]]
    size = int(np.prod(shape))
    return np.array(draw(st.lists(entries, min_size=size, max_size=size)), dtype=kind).reshape(shape)


@st.composite
def broadcastable(draw: Draw, shape: Shape, entries: st.SearchStrategy[Any], dtype: Any = np.float64) -> Array:
    """Arrays that broadcast to `shape` without enlarging it."""
    kept = shape[draw(st.integers(0, len(shape))) :]
    return draw(arrays(tuple(n if draw(st.booleans()) else 1 for n in kept), entries, dtype))


@st.composite
def ops(draw: Draw, kind: type[Op] | None = None) -> tuple[Op, tuple[Shape, ...]]:
    """An op, of `kind` where given, and the shapes of inputs that it takes."""
    if kind is None:
        kind = draw(st.sampled_from([Input, *OPS]))
    assert kind is not None
    if kind is Input:
        return Input(shape=draw(shapes)), ()
    least = 2 if kind in WINDOWED else 0 if kind in ANY_RANK else 1
    shape = draw(st.lists(st.integers(1, 4), min_size=least, max_size=3).map(tuple))
    count = draw(st.integers(2, 3)) if kind is Add else 2 if issubclass(kind, Combination) else 1
    return OPS[kind](draw, kind, shape), (shape,) * count


@st.composite
def graphs(draw: Draw, size: int = 5) -> Graph:
    """Sound graphs of random ops, with odd names and origins; a meaning they need not have."""
    graph = Graph(draw(names))
    graph.add(draw(names), Input(shape=draw(shapes)))
    for _ in range(draw(st.integers(0, size))):
        source = draw(st.sampled_from([node.name for node in graph]))
        shape = graph.shape(source)
        fitting = [k for k in OPS if len(shape) >= (2 if k in WINDOWED else 0 if k in ANY_RANK else 1)]
        kind = draw(st.sampled_from(fitting))
        sources = [source] * (2 if kind is Add or issubclass(kind, Combination) else 1)
        origin = Origin(*(draw(st.text(max_size=5)) for _ in range(3))) if draw(st.booleans()) else Origin()
        graph.add(graph.fresh(draw(names)), OPS[kind](draw, kind, shape), sources, origin)
    graph.outputs = tuple(draw(st.lists(st.sampled_from([n.name for n in graph]), min_size=1, max_size=2)))
    return graph


# -- one rule an op ------------------------------------------------------------------------------------------


def _maybe(draw: Draw, strategy: st.SearchStrategy[Any]) -> Any:
    return draw(strategy) if draw(st.booleans()) else None


def _window(draw: Draw, size: Shape, kernel: Shape | None = None) -> dict[str, Shape]:
    """Kernel, strides, pads and dilations of a window that fits."""
    rank = len(size)
    kernel = tuple(draw(st.integers(1, n)) for n in size) if kernel is None else kernel
    dilations = tuple(
        draw(st.integers(1, max(1, (n - 1) // (k - 1)))) if k > 1 else 1 for n, k in zip(size, kernel, strict=True)
    )
    pads = tuple(draw(st.integers(0, k - 1)) for k in kernel * 2)
    strides = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    window_output(size, kernel, strides, pads, dilations)
    return {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}


@OPS.rule(Conv)
def _conv(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    groups = draw(st.sampled_from([g for g in range(1, shape[0] + 1) if shape[0] % g == 0]))
    out = groups * draw(st.integers(1, 2))
    window = _window(draw, shape[1:])
    weight = draw(arrays((out, shape[0] // groups, *window.pop("kernel"))))
    scale, bias = (_maybe(draw, arrays((out,), entries, np.float64)) for entries in (positives, reals))
    return Conv(weight=weight, scale=scale, bias=bias, groups=groups, **window)


@OPS.rule(Dense)
def _dense(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    out = draw(st.integers(1, 3))
    scale, bias = (_maybe(draw, arrays((out,), entries, np.float64)) for entries in (positives, reals))
    return Dense(weight=draw(arrays((out, shape[-1]))), scale=scale, bias=bias)


@OPS.rule(Affine)
def _affine(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Affine(scale=_maybe(draw, broadcastable(shape, reals)), shift=_maybe(draw, broadcastable(shape, reals)))


@OPS.rule(Add)
def _add(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Add()


@OPS.rule(Concat)
def _concat(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Concat(axis=draw(st.integers(0, len(shape) - 1)))


@OPS.rule(Reshape)
def _reshape(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Reshape(shape=draw(st.sampled_from([(int(np.prod(shape)),), (1, *shape), shape[::-1]])))


@OPS.rule(Transpose)
def _transpose(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Transpose(perm=tuple(draw(st.permutations(range(len(shape))))))


@OPS.rule(Gather)
def _gather(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    axis = draw(st.integers(0, len(shape) - 1))
    indices = draw(st.lists(st.integers(0, shape[axis] - 1), min_size=1, max_size=5))
    return Gather(axis=axis, indices=np.array(indices, np.int64))


@OPS.rule(Pad)
def _pad(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Pad(pads=tuple(draw(st.integers(0, 2)) for _ in range(2 * len(shape))))


@OPS.rule(Dilate)
def _dilate(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Dilate(strides=tuple(draw(st.integers(1, 3)) for _ in shape[1:]))


@OPS.rule(SumPool, MaxPool)
def _pool(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return kind(**_window(draw, shape[1:]))


@OPS.rule(AveragePool)
def _average(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return AveragePool(**_window(draw, shape[1:]), count_padding=draw(st.booleans()))


@OPS.rule(Relu)
def _relu(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Relu()


@OPS.rule(Clip)
def _clip(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    low = draw(st.floats(-10, 5) | st.just(-np.inf))
    return Clip(low=low, high=draw(st.floats(5.5, 10) | st.just(np.inf)))


@OPS.rule(LeakyRelu)
def _leaky_relu(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return LeakyRelu(slope=draw(broadcastable(shape, reals)))


@OPS.rule(Unary)
def _unary(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    alpha, beta = draw(reals), draw(reals)
    return Unary(function=draw(st.sampled_from(get_args(Function))), alpha=alpha, beta=beta)


@OPS.rule(Multiply, Minimum, Maximum)
def _combination(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return kind()


@OPS.rule(Softmax)
def _softmax(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Softmax(axis=draw(st.integers(0, len(shape) - 1)), log=draw(st.booleans()))


@OPS.rule(Steps)
def _steps(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    count = draw(st.integers(1, 4))
    row = draw(broadcastable(shape, reals)).shape
    breakpoints = np.sort(draw(arrays((count, *row), reals, np.float64)), axis=0)
    heights = draw(arrays((count,), reals.filter(bool), np.float64))
    return Steps(breakpoints=breakpoints, heights=heights, base=draw(reals))


@OPS.rule(BatchNorm)
def _batch_norm(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    gamma, beta, mean = (draw(arrays((shape[0],), reals, np.float64)) for _ in range(3))
    return BatchNorm(gamma=gamma, beta=beta, mean=mean, var=draw(arrays((shape[0],), positives, np.float64)))


@OPS.rule(Quantise)
def _quantise(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    low = draw(st.integers(-9, 3))
    high = low + draw(st.integers(1, 9))
    zero = draw(st.integers(low, high))
    scale = draw(broadcastable(shape, positives))
    return Quantise(scale=scale, zero_point=zero, qmin=low, qmax=high, rounding=draw(roundings))


@OPS.rule(Staircase)
def _staircase(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Staircase(
        scale=draw(broadcastable(shape, positives)), lo=draw(st.integers(-9, 0)), hi=draw(st.integers(1, 9))
    )


@OPS.rule(Encoder)
def _encoder(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    scale, value = (draw(broadcastable(shape, positives)) for _ in range(2))
    return Encoder(
        scale=scale,
        value=value,
        lo=draw(st.integers(-9, 0)),
        hi=draw(st.integers(1, 9)),
        rounding=draw(roundings),
    )


@OPS.rule(*NEURONS)
def _neuron(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    whole = draw(st.booleans())
    dtype, above, any_ = (np.int64, st.integers(1, 2**40), wholes) if whole else (np.float64, positives, reals)
    arguments: dict[str, Any] = {name: draw(broadcastable(shape, above, dtype)) for name in ("theta", "value")}
    arguments |= {name: draw(broadcastable(shape, any_, dtype)) for name in ("v0", "bias")}
    arguments |= {
        "shift": draw(st.integers(0, 24)) if whole else 0,
        "ties": draw(st.sampled_from(["up", "even"])),
    }
    if kind is LIF:
        decay, current_decay = draw(st.integers(0, 4096)), draw(st.one_of(st.just(0), st.integers(0, 4096)))
        arguments |= {"decay": decay / 4096, "reset": draw(st.sampled_from(get_args(Reset)))}
        arguments["current_decay"] = current_decay / 4096
        arguments["steady"] = current_decay < 4096 and draw(st.booleans())
    if kind is SignedIF or issubclass(kind, Traced):
        arguments["lo"] = draw(st.integers(-9, 0))
    if issubclass(kind, Traced):
        arguments["hi"] = draw(st.integers(1, 9))
    if kind is StoreAndForward:
        arguments["opens"] = draw(st.integers(0, 9))
    return kind(**arguments)


@OPS.rule(Readout)
def _readout(draw: Draw, kind: type[Any], shape: Shape) -> Op:
    return Readout(scale=draw(broadcastable(shape, reals)), bias=draw(broadcastable(shape, reals)))
