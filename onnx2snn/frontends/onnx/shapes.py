"""Ops that give the features another shape, and the arithmetic on shapes before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.codes import moves
from onnx2snn.frontends.onnx.operands import attribute, constant, feature
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.symbols import Constant, Feature, Symbol
from onnx2snn.ir.op import Shape
from onnx2snn.ir.ops import Gather, Reshape

if TYPE_CHECKING:
    import onnx_ir


@rule("Shape")
def _shape(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    """The shape as a constant; a batch size that is not fixed stands as -1, which Reshape takes for it."""
    sizes = [reader.batch or -1, *reader.shape(feature(x))]
    start, end = (int(attribute(node, name, default)) for name, default in (("start", 0), ("end", len(sizes))))
    return Constant(np.array(sizes[start:end], np.int64))


@rule("Flatten")
@moves
def _flatten(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    source = feature(x)
    axis = int(attribute(node, "axis", 1)) % (len(reader.shape(source)) + 1)
    if axis != 1:
        raise ModelError(f"axis = 1 expected, found {attribute(node, 'axis')}")
    return to_shape(reader, source, [0, -1])


@rule("Reshape")
@moves
def _reshape(reader: Reader, node: onnx_ir.Node, x: Symbol, shape: Symbol) -> Symbol:
    return to_shape(reader, feature(x), [int(n) for n in constant(shape, "shape").ravel()])


@rule("Squeeze", "Unsqueeze")
@moves
def _squeeze(reader: Reader, node: onnx_ir.Node, x: Symbol, axes: Symbol | None = None) -> Symbol:
    source = feature(x)
    shape = (0, *reader.shape(source))
    squeezed = node.op_type == "Squeeze"
    given = attribute(node, "axes") if axes is None else constant(axes, "axes").ravel().tolist()
    if given is None:
        if not squeezed or reader.batch == 1:
            raise ModelError("axes expected, found none")
        given = [i for i, n in enumerate(shape) if n == 1]
    rank = len(shape) + (0 if squeezed else len(given))
    places = {int(a) % rank for a in given}
    if 0 in places:
        raise ModelError("axes after the batch axis expected, found axis 0")
    if squeezed:
        return to_shape(reader, source, [n for i, n in enumerate(shape) if i not in places])
    sizes = iter(shape)
    return to_shape(reader, source, [1 if i in places else next(sizes) for i in range(rank)])


@rule("Expand")
@moves
def _expand(reader: Reader, node: onnx_ir.Node, x: Symbol, shape: Symbol) -> Symbol:
    source = feature(x)
    target = [int(n) for n in constant(shape, "shape").ravel()]
    if len(target) > len(reader.shape(source)) and target[0] not in (1, -1, reader.batch):
        raise ModelError(f"a shape that keeps the batch axis expected, found {target}")
    sizes = np.broadcast_shapes(reader.shape(source), tuple(target[1:]))
    return expanded(reader, source, sizes)


@rule("Identity", "Dropout")
def _same(reader: Reader, node: onnx_ir.Node, x: Symbol, *_: Symbol) -> Symbol:
    return x


def to_shape(reader: Reader, source: Feature, target: list[int]) -> Feature:
    """The feature under the shape that ONNX writes as `target`, batch axis first."""
    shape = reader.shape(source)
    return reshaped(reader, source, target_shape(target, shape, reader.batch))


def reshaped(reader: Reader, source: Feature, shape: Shape) -> Feature:
    """The feature under another shape, where it has not got it already."""
    return source if shape == reader.shape(source) else reader.add(Reshape(shape=shape), source)


def target_shape(target: list[int], shape: Shape, batch: int | None) -> Shape:
    """The feature shape that an ONNX Reshape to `target` gives, the batch axis in front kept.

    batch: the number of samples, where the model fixes it.
    """
    if len(target) < 2 or target[0] not in (0, -1, batch):
        raise ModelError(f"a shape that keeps the batch axis of {batch or 'any'} samples expected, found {target}")
    sizes = [shape[i] if n == 0 and i < len(shape) else n for i, n in enumerate(target[1:])]
    known = int(np.prod([n for n in sizes if n > 0]))
    total = int(np.prod(shape))
    if sizes.count(-1) == 1 and (target[0] != -1 or batch is None) and total % known == 0:
        sizes[sizes.index(-1)] = total // known
    if min(sizes) < 1 or int(np.prod(sizes)) != total:
        raise ModelError(f"a shape that keeps the batch axis and {total} entries expected, found {target}")
    return tuple(sizes)


def expanded(reader: Reader, source: Feature, shape: Shape) -> Feature:
    """The feature broadcast to `shape`: axes of size 1 are repeated."""
    own = reader.shape(source)
    if own == shape:
        return source
    if np.broadcast_shapes(own, shape) != shape:
        raise ModelError(f"{own} does not broadcast to {shape}")
    source = reshaped(reader, source, (1,) * (len(shape) - len(own)) + own)
    for axis, (size, wanted) in enumerate(zip(reader.shape(source), shape, strict=True)):
        if size != wanted:
            source = reader.add(Gather(axis=axis, indices=np.zeros(wanted, np.int64)), source)
    return source
