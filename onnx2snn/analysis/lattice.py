"""Where integer counts go: the lattice on which every value of a quantised network lies.

Between two staircases all ops are linear, so a value is `unit * a` with a whole number a, the accumulator, that
integer weights make of spike counts. This analysis finds unit and range of a for every node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from onnx2snn.analysis.intervals import interval
from onnx2snn.errors import located
from onnx2snn.ir import Array, Graph, Node, Op, Shape
from onnx2snn.ir.ops import (
    Add,
    Affine,
    Concat,
    Conv,
    Dense,
    Dilate,
    Encoder,
    Gather,
    Input,
    MaxPool,
    Neuron,
    Pad,
    Readout,
    Reshape,
    Staircase,
    SumPool,
    Transpose,
)
from onnx2snn.reference import apply
from onnx2snn.table import Table


@dataclass(frozen=True)
class Lattice:
    """The values unit * a of one node, a whole, low <= a <= high.

    unit: float64, low and high: int64, all broadcastable to the node's features.
    at: name of the node whose accumulator a is; nodes that only rescale share it.
    """

    unit: Array
    low: Array
    high: Array
    at: str


@dataclass(frozen=True)
class NoLattice:
    """Why a node's values lie on no lattice that is known; `analog` where a real-valued input reaches it."""

    reason: str
    analog: bool = False


TAIL = "stays real-valued behind the readout"
Place = Lattice | NoLattice
LATTICE: Table[Callable[..., Place]] = Table("the lattice analysis")


def lattices(graph: Graph, steps: int = 0, ranges: Mapping[str, tuple[int, int]] | None = None) -> dict[str, Place]:
    """The lattice of every node of a graph of staircases or neurons whose linear ops carry no constants.

    steps: the most spikes that a neuron without upper bound emits.  ranges: least and greatest of what these encoders
    and neurons send, in place of their counts; zero lies in each.
    """
    places: dict[str, Place] = {}
    for node in graph:
        with located(f"{node}"):
            place = _place(graph, node, [places[source] for source in node.inputs], steps)
            if ranges and node.name in ranges and isinstance(place, Lattice):
                low, high = ranges[node.name]
                place = replace(place, low=np.asarray(low), high=np.asarray(high))
            places[node.name] = place
    return places


def _place(graph: Graph, node: Node, arriving: list[Place], steps: int) -> Place:
    op = node.op
    if isinstance(op, Input):
        return NoLattice("the input is real-valued", analog=True)
    if isinstance(op, (Staircase, Encoder)):
        return Lattice(
            np.asarray(op.scale if isinstance(op, Staircase) else op.value, np.float64),
            np.asarray(op.lo),
            np.asarray(op.hi),
            node.name,
        )
    if isinstance(op, Neuron):
        low, high = op.range
        return Lattice(
            np.asarray(op.value, np.float64), np.asarray(low), np.asarray(steps if high is None else high), node.name
        )
    if any(isinstance(graph[source].op, Readout) for source in node.inputs):
        return NoLattice(TAIL)
    known = [place for place in arriving if isinstance(place, Lattice)]
    if len(known) < len(arriving):
        return next(place for place in arriving if isinstance(place, NoLattice))
    shapes = [graph.shape(source) for source in node.inputs]
    return LATTICE[type(op)](node, known, shapes)


def full(array: Array, shape: Shape) -> Array:
    """The array broadcast to a batch of one."""
    return np.broadcast_to(array, shape)[None]


def shrink(array: Array) -> Array:
    """The smallest array that broadcasts to the same: axes along which nothing changes get size one."""
    for axis in range(array.ndim):
        if array.shape[axis] > 1 and not np.ptp(array, axis=axis).any():
            array = array.take([0], axis=axis)
    return array.reshape(()) if array.size == 1 else array


@LATTICE.rule(Conv, Dense)
def _weighted(node: Node, arriving: list[Lattice], shapes: list[Shape]) -> Place:
    op, (source,), (shape,) = node.op, arriving, shapes
    assert isinstance(op, (Conv, Dense))
    if op.weight.dtype.kind != "i":
        return NoLattice("its weights are real-valued")
    unit = _uniform_input(op, source.unit, shape)
    if unit is None:
        return NoLattice("its input channels have unequal scales")
    low, high = interval(op, source.low, source.high, shape)
    scale = np.ones(len(op.weight)) if op.scale is None else op.scale
    column = (-1,) + (1,) * (op.weight.ndim - 2) if isinstance(op, Conv) else (-1,)
    return Lattice(unit * scale.reshape(column), low, high, node.name)


def _uniform_input(op: Conv | Dense, unit: Array, shape: Shape) -> Array | None:
    """The unit of every output channel's inputs: one number, or in a depthwise convolution one a channel."""
    unit = shrink(np.asarray(unit, np.float64))
    if unit.size == 1:
        return unit.reshape(())
    depthwise = isinstance(op, Conv) and op.groups == shape[0] and unit.shape[1:] == (1,) * (len(shape) - 1)
    return np.repeat(unit, len(op.weight) // shape[0], axis=0) if depthwise else None


@LATTICE.rule(Affine)
def _affine(node: Node, arriving: list[Lattice], shapes: list[Shape]) -> Place:
    op, (source,) = node.op, arriving
    assert isinstance(op, Affine)
    if op.scale is None:
        return source
    if op.scale.dtype.kind == "i":
        ends = source.low * op.scale, source.high * op.scale
        return Lattice(source.unit, np.minimum(*ends), np.maximum(*ends), node.name)
    if (op.scale > 0).all():
        return replace(source, unit=source.unit * op.scale)
    sign = np.sign(op.scale).astype(np.int64)
    low, high = np.minimum(source.low * sign, source.high * sign), np.maximum(source.low * sign, source.high * sign)
    size = np.where(sign == 0, 1.0, np.abs(op.scale))  # a factor of zero is a sign of zero
    return Lattice(source.unit * size, low, high, node.name)


@LATTICE.rule(Add)
def _add(node: Node, arriving: list[Lattice], shapes: list[Shape]) -> Place:
    low, high = sum(place.low for place in arriving), sum(place.high for place in arriving)
    if not all(np.array_equal(shrink(np.asarray(p.unit)), shrink(np.asarray(arriving[0].unit))) for p in arriving):
        return NoLattice("its branches have unequal scales")
    return Lattice(arriving[0].unit, np.asarray(low), np.asarray(high), node.name)


@LATTICE.rule(Concat)
def _concat(node: Node, arriving: list[Lattice], shapes: list[Shape]) -> Place:
    assert isinstance(node.op, Concat)

    def side_by_side(arrays: list[Array]) -> Array:
        return shrink(apply(node.op, *(full(a, s) for a, s in zip(arrays, shapes, strict=True)))[0])

    unit, low, high = (side_by_side([getattr(p, f) for p in arriving]) for f in ("unit", "low", "high"))
    return Lattice(unit, low, high, node.name)


@LATTICE.rule(Reshape, Transpose, Gather)
def _rearranged(node: Node, arriving: list[Lattice], shapes: list[Shape]) -> Place:
    unit, low, high = (_moved(node.op, getattr(arriving[0], f), shapes[0]) for f in ("unit", "low", "high"))
    return Lattice(unit, low, high, node.name)


@LATTICE.rule(Pad, Dilate)
def _with_zeros(node: Node, arriving: list[Lattice], shapes: list[Shape]) -> Place:
    (source,), (shape,) = arriving, shapes
    unit = shrink(np.asarray(source.unit))
    if unit.size > 1 and not _only_spatial(node.op, unit, shape):
        return NoLattice("scales differ where zeros are put in")
    if _within_channels(node.op, shape):  # a channel's range is one range, its zeros in it
        channel = (shape[0],) + (1,) * (len(shape) - 1)
        low, high = enclosing(source, channel)
    else:
        low, high = (_moved(node.op, array, shape) for array in (source.low, source.high))
    return Lattice(unit, np.minimum(low, 0), np.maximum(high, 0), node.name)


def enclosing(place: Lattice, shape: Shape) -> tuple[Array, Array]:
    """Least and greatest accumulators as arrays that do not vary along axes of size one in `shape`."""

    def over(array: Array, combine: np.ufunc) -> Array:
        full = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
        axes = tuple(i for i, size in enumerate(shape) if size == 1 and full.shape[i] > 1)
        return shrink(combine.reduce(full, axis=axes, keepdims=True)) if axes else array

    return over(np.asarray(place.low), np.minimum), over(np.asarray(place.high), np.maximum)


def _only_spatial(op: Op, unit: Array, shape: Shape) -> bool:
    """Whether the zeros stand within channels, and the unit is one a channel."""
    return _within_channels(op, shape) and unit.shape == (shape[0],) + (1,) * (len(shape) - 1)


def _within_channels(op: Op, shape: Shape) -> bool:
    return isinstance(op, Dilate) or (isinstance(op, Pad) and not op.pads[0] and not op.pads[len(shape)])


def _moved(op: Op, array: Array, shape: Shape) -> Array:
    """What a moving op makes of an array that broadcasts to its input, as small as it broadcasts."""
    array = np.asarray(array)
    return array.reshape(()) if array.size == 1 else shrink(apply(op, full(array, shape))[0])


@LATTICE.rule(SumPool, MaxPool)
def _pool(node: Node, arriving: list[Lattice], shapes: list[Shape]) -> Place:
    (source,), (shape,) = arriving, shapes
    unit = shrink(np.asarray(source.unit))
    if not _one_a_channel(unit, shape):
        return NoLattice("scales differ within a channel")
    if isinstance(node.op, MaxPool) and all(
        _one_a_channel(np.asarray(end), shape) for end in (source.low, source.high)
    ):
        return replace(source, at=node.name)
    low, high = (shrink(apply(node.op, full(a, shape))[0]) for a in (source.low, source.high))
    return Lattice(source.unit, low, high, node.name)


def _one_a_channel(array: Array, shape: Shape) -> bool:
    """Whether an array that broadcasts to `shape` is the same all over each channel."""
    return all(size == 1 for size in ((1,) * (len(shape) - array.ndim) + array.shape)[1:])


@LATTICE.rule(Readout)
def _readout(node: Node, arriving: list[Lattice], shapes: list[Shape]) -> Place:
    return arriving[0]


def whole_ratios(units: Array, limit: int = 4096) -> Array | None:
    """Whole multipliers m with units = base * m exactly for one base, m up to `limit`; None where there are none."""
    base = Fraction(float(units.min()))
    ratios = [Fraction(float(u)) / base for u in units.ravel()]
    common = int(np.lcm.reduce([min(r.denominator, limit + 1) for r in ratios]))
    whole = [r * common for r in ratios]
    if common > limit or any(w.denominator != 1 or w > limit for w in whole):
        return None
    return np.array([int(w) for w in whole], dtype=np.int64).reshape(units.shape)


Places = Mapping[str, Place]
