"""Ops that move entries: transposing, slicing, splitting, gathering, padding, tiling, depth to space."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.codes import moves
from onnx2snn.frontends.onnx.operands import attribute, constant, feature
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.shapes import reshaped
from onnx2snn.frontends.onnx.symbols import Codes, Feature, Symbol, Weights
from onnx2snn.ir.op import Array, Shape
from onnx2snn.ir.ops import Affine, Concat, Gather, Pad, Transpose

if TYPE_CHECKING:
    import onnx_ir


@rule("Transpose")
@moves
def _transpose(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    if isinstance(x, Weights):
        perm = tuple(attribute(node, "perm", range(x.codes.ndim)[::-1]))
        return Weights(x.codes.transpose(perm), x.scale, perm.index(x.axis) if x.codes.ndim else 0)
    source = feature(x)
    rank = len(reader.shape(source)) + 1
    perm = [int(axis) for axis in attribute(node, "perm", range(rank)[::-1])]
    if perm[0] != 0:
        raise ModelError(f"a permutation that keeps the batch axis first expected, found {perm}")
    return transposed(reader, source, tuple(axis - 1 for axis in perm[1:]))


def transposed(reader: Reader, source: Feature, perm: Shape) -> Feature:
    """The feature with its axes in another order."""
    return source if perm == tuple(range(len(perm))) else reader.add(Transpose(perm=perm), source)


@rule("Concat")
@moves
def _concat(reader: Reader, node: onnx_ir.Node, *parts: Symbol) -> Symbol:
    features = [feature(part) for part in parts]
    axis = _axis(int(attribute(node, "axis", 1)), reader.shape(features[0]))
    return features[0] if len(features) == 1 else reader.add(Concat(axis=axis), *features)


@rule("Slice")
@moves
def _slice(
    reader: Reader,
    node: onnx_ir.Node,
    x: Symbol,
    starts: Symbol,
    ends: Symbol,
    axes: Symbol | None = None,
    steps: Symbol | None = None,
) -> Symbol:
    source = feature(x)
    begin, end = (constant(s, n).ravel().tolist() for s, n in ((starts, "starts"), (ends, "ends")))
    along = list(range(len(begin))) if axes is None else constant(axes, "axes").ravel().tolist()
    stride = [1] * len(begin) if steps is None else constant(steps, "steps").ravel().tolist()
    for axis, start, stop, step in zip(along, begin, end, stride, strict=True):
        shape = reader.shape(source)
        if axis % (len(shape) + 1) == 0:
            if (start, step) == (0, 1) and (stop >= (reader.batch or (1 << 31) - 1)):
                continue
            raise ModelError(f"slices after the batch axis expected, found [{start}:{stop}:{step}] of it")
        place = _axis(axis, shape)
        source = gathered(reader, source, place, np.arange(shape[place])[_cut(start, stop, step)])
    return source


def _cut(start: int, stop: int, step: int) -> slice:
    """ONNX's slice as Python's: an end far below zero of a falling slice means the very first entry."""
    return slice(start, None if step < 0 and stop < -(1 << 30) else stop, step)


@rule("Split")
@moves
def _split(reader: Reader, node: onnx_ir.Node, x: Symbol, split: Symbol | None = None) -> tuple[Symbol, ...]:
    source = feature(x)
    shape = reader.shape(source)
    axis = _axis(int(attribute(node, "axis", 0)), shape)
    count = len(node.outputs)
    size = -(-shape[axis] // count)
    sizes = [size] * (count - 1) + [shape[axis] - size * (count - 1)]
    if split is not None:
        sizes = [int(n) for n in constant(split, "split").ravel()]
    ends = np.cumsum([0, *sizes])
    if len(sizes) != count or min(sizes) < 1 or ends[-1] != shape[axis]:
        raise ModelError(f"{count} sizes that add up to {shape[axis]} expected, found {sizes}")
    return tuple(gathered(reader, source, axis, np.arange(a, b)) for a, b in pairwise(ends))


@rule("Gather")
@moves
def _gather(reader: Reader, node: onnx_ir.Node, x: Symbol, indices: Symbol) -> Symbol:
    source = feature(x)
    shape = reader.shape(source)
    axis = _axis(int(attribute(node, "axis", 0)), shape)
    chosen = constant(indices, "indices").astype(np.int64)
    taken = gathered(reader, source, axis, np.where(chosen < 0, chosen + shape[axis], chosen).ravel())
    return reshaped(reader, taken, (*shape[:axis], *chosen.shape, *shape[axis + 1 :]))


def gathered(reader: Reader, source: Feature, axis: int, indices: Array) -> Feature:
    """Entries of the feature along one axis, where these are not all of them in order."""
    if np.array_equal(indices, np.arange(reader.shape(source)[axis])):
        return source
    return reader.add(Gather(axis=axis, indices=indices.astype(np.int64)), source)


@rule("Tile")
@moves
def _tile(reader: Reader, node: onnx_ir.Node, x: Symbol, repeats: Symbol) -> Symbol:
    source = feature(x)
    counts = [int(n) for n in constant(repeats, "repeats").ravel()]
    if counts[0] != 1:
        raise ModelError(f"one repeat of the batch axis expected, found {counts}")
    for axis, count in enumerate(counts[1:]):
        source = gathered(reader, source, axis, np.tile(np.arange(reader.shape(source)[axis]), count))
    return source


@rule("Pad")
def _pad(
    reader: Reader,
    node: onnx_ir.Node,
    x: Symbol,
    pads: Symbol,
    value: Symbol | None = None,
    axes: Symbol | None = None,
) -> Symbol:
    fill = 0.0 if value is None else float(constant(value, "value").ravel()[0])
    if isinstance(x, Codes) and x.grid.scale.size == 1:
        fill = x.grid.scale.item() * (fill - int(x.grid.zero_point.ravel()[0]))
        source = _padded(reader, node, reader.settle(x), pads, fill, axes)
        return Codes(source, x.grid, settled=True)
    return _padded(reader, node, feature(x), pads, fill, axes)


def _padded(
    reader: Reader, node: onnx_ir.Node, source: Feature, pads: Symbol, fill: float, axes: Symbol | None
) -> Feature:
    rank = len(reader.shape(source)) + 1
    given = [int(n) for n in constant(pads, "pads").ravel()]
    along = range(rank) if axes is None else [int(a) % rank for a in constant(axes, "axes").ravel()]
    begins, ends = [0] * rank, [0] * rank
    for axis, begin, end in zip(along, given[: len(given) // 2], given[len(given) // 2 :], strict=True):
        begins[axis], ends[axis] = begin, end
    if begins[0] or ends[0]:
        raise ModelError(f"pads after the batch axis expected, found {given}")
    mode = str(attribute(node, "mode", "constant"))
    if mode == "constant":
        return padded(reader, source, tuple(begins[1:]), tuple(ends[1:]), fill)
    numpy_mode = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}.get(mode)
    if numpy_mode is None:
        raise ModelError(f"mode constant, reflect, edge or wrap expected, found {mode}")
    for axis, (begin, end) in enumerate(zip(begins[1:], ends[1:], strict=True)):
        places = np.arange(reader.shape(source)[axis])
        source = gathered(reader, source, axis, np.pad(places, (begin, end), mode=numpy_mode))  # type: ignore[call-overload]
    return source


def padded(reader: Reader, source: Feature, begins: Shape, ends: Shape, fill: float = 0.0) -> Feature:
    """The feature with `fill` around it; a negative pad cuts."""
    shape = reader.shape(source)
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        if min(begin, end) < 0:
            kept = np.arange(max(0, -begin), shape[axis] - max(0, -end))
            source = gathered(reader, source, axis, kept)
    pads = tuple(max(0, n) for n in (*begins, *ends))
    if not any(pads):
        return source
    if fill == 0:
        return reader.add(Pad(pads=pads), source)
    lowered = reader.add(Pad(pads=pads), reader.add(Affine(shift=np.asarray(-fill)), source))
    return reader.add(Affine(shift=np.asarray(fill)), lowered)


@rule("DepthToSpace", "SpaceToDepth")
@moves
def _depth_space(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    source = feature(x)
    channels, height, width = reader.shape(source)
    block = int(attribute(node, "blocksize", 1))
    if node.op_type == "SpaceToDepth":
        split = reshaped(reader, source, (channels, height // block, block, width // block, block))
        moved = transposed(reader, split, (2, 4, 0, 1, 3))
        return reshaped(reader, moved, (channels * block * block, height // block, width // block))
    rest = channels // (block * block)
    if str(attribute(node, "mode", "DCR")) == "DCR":
        moved = transposed(reader, reshaped(reader, source, (block, block, rest, height, width)), (2, 3, 0, 4, 1))
    else:
        moved = transposed(reader, reshaped(reader, source, (rest, block, block, height, width)), (0, 3, 1, 4, 2))
    return reshaped(reader, moved, (rest, height * block, width * block))


def _axis(axis: int, shape: Shape) -> int:
    """An ONNX axis as one of the features."""
    place = axis % (len(shape) + 1)
    if place == 0:
        raise ModelError("an axis after the batch axis expected, found axis 0")
    return place - 1
