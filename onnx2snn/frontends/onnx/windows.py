"""Pooling ops, and the padding rules that convolution shares with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.codes import moves
from onnx2snn.frontends.onnx.moves import transposed
from onnx2snn.frontends.onnx.operands import attribute, constant, feature, integers
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.shapes import reshaped
from onnx2snn.frontends.onnx.symbols import Feature, Symbol
from onnx2snn.ir.op import Shape
from onnx2snn.ir.ops import Affine, AveragePool, MaxPool

if TYPE_CHECKING:
    import onnx_ir


def padding(node: onnx_ir.Node, size: Shape, kernel: Shape, strides: Shape, dilations: Shape) -> Shape:
    """Explicit pads (begins, then ends) of a window op, its auto_pad and ceil_mode worked out for `size`."""
    rank = len(kernel)
    if not len(size) == len(strides) == len(dilations) == rank:
        raise ModelError(f"{rank} spatial axes expected, found input {size}, strides {strides}, dilations {dilations}")
    mode = str(attribute(node, "auto_pad", "NOTSET"))
    if mode.startswith("SAME"):
        extents = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
        totals = [max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in zip(size, strides, extents, strict=True)]
        less, more = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
        return less + more if mode == "SAME_UPPER" else more + less
    pads = (0,) * (2 * rank) if mode == "VALID" else integers(attribute(node, "pads"), (0,) * (2 * rank))
    if attribute(node, "ceil_mode", 0):
        return _ceil_pads(pads, size, kernel, strides, dilations)
    return pads


def _ceil_pads(pads: Shape, size: Shape, kernel: Shape, strides: Shape, dilations: Shape) -> Shape:
    """Pads that give by rounding down what ceil_mode gives by rounding up; a window never starts in the end padding."""
    rank, ends = len(kernel), list(pads[len(kernel) :])
    for i in range(rank):
        extent, padded = dilations[i] * (kernel[i] - 1) + 1, size[i] + pads[i] + pads[i + rank]
        count = -(-(padded - extent) // strides[i]) + 1
        count -= (count - 1) * strides[i] >= size[i] + pads[i]
        ends[i] += max(0, (count - 1) * strides[i] + extent - padded)
    return (*pads[:rank], *ends)


def _window(reader: Reader, node: onnx_ir.Node, source: Feature) -> dict[str, Any]:
    size = reader.shape(source)[1:]
    kernel = integers(attribute(node, "kernel_shape"), ())
    strides = integers(attribute(node, "strides"), (1,) * len(kernel))
    dilations = integers(attribute(node, "dilations"), (1,) * len(kernel))
    pads = padding(node, size, kernel, strides, dilations)
    return {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}


@rule("MaxPool")
@moves
def _max_pool(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    source = feature(x)
    return reader.add(MaxPool(**_window(reader, node, source)), source)


@rule("AveragePool")
def _average_pool(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    source = feature(x)
    window = _window(reader, node, source)
    counted = bool(attribute(node, "count_include_pad", 0))
    if counted and attribute(node, "ceil_mode", 0):
        raise ModelError("count_include_pad with ceil_mode is not supported; export with ceil_mode = 0")
    return reader.add(AveragePool(**window, count_padding=counted), source)


@rule("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    source = feature(x)
    size = reader.shape(source)[1:]
    if not size:
        raise ModelError("an input with spatial axes expected")
    return reader.add(_whole(node, size), source)


@rule("ReduceMean", "ReduceSum", "ReduceMax")
def _reduce(reader: Reader, node: onnx_ir.Node, x: Symbol, axes: Symbol | None = None) -> Symbol:
    """Over any axes but the batch: they move to the end, where a pool takes them in."""
    source = feature(x)
    shape = reader.shape(source)
    given = attribute(node, "axes") if axes is None else constant(axes, "axes").ravel().tolist()
    places = sorted(int(a) % (len(shape) + 1) for a in given or range(len(shape) + 1))
    if not places or places[0] == 0:
        raise ModelError(f"axes after the batch axis expected, found {given}")
    gone = [place - 1 for place in places]
    kept = [axis for axis in range(len(shape)) if axis not in gone]
    size = tuple(shape[axis] for axis in gone)
    moved = transposed(reader, source, (*kept, *gone))
    rows = reshaped(reader, moved, (int(np.prod([shape[axis] for axis in kept])), *size))
    pooled = reader.add(_whole(node, size), rows)
    if node.op_type == "ReduceSum":
        pooled = reader.add(Affine(scale=np.asarray(float(np.prod(size)))), pooled)
    keep = bool(attribute(node, "keepdims", 1))
    result = tuple(1 if axis in gone else n for axis, n in enumerate(shape) if keep or axis not in gone)
    return reshaped(reader, pooled, result)


def _whole(node: onnx_ir.Node, size: Shape) -> AveragePool | MaxPool:
    """A pool whose one window is the whole input."""
    ones = (1,) * len(size)
    kind = MaxPool if "Max" in node.op_type else AveragePool
    return kind(kernel=size, strides=ones, pads=(0,) * (2 * len(size)), dilations=ones)
