"""Pooling ops, and the padding rules that convolution shares with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.codes import moves
from onnx2snn.frontends.onnx.reader import Reader, attribute, constant, feature, integers, rule
from onnx2snn.frontends.onnx.symbols import Feature, Symbol
from onnx2snn.ir.op import Shape
from onnx2snn.ir.ops import AveragePool, MaxPool, Reshape

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


@rule("GlobalAveragePool")
def _global_average_pool(reader: Reader, node: onnx_ir.Node, x: Symbol) -> Symbol:
    return _whole_average(reader, feature(x))


@rule("ReduceMean")
def _reduce_mean(reader: Reader, node: onnx_ir.Node, x: Symbol, axes: Symbol | None = None) -> Symbol:
    source = feature(x)
    shape = reader.shape(source)
    given = attribute(node, "axes") if axes is None else constant(axes, "axes").tolist()
    found = sorted(int(a) % (len(shape) + 1) for a in given or ())
    if len(shape) < 2 or found != list(range(2, len(shape) + 1)):
        raise ModelError(
            f"the mean over all spatial axes expected, found axes {found} of (batch, {', '.join(map(str, shape))})"
        )
    pooled = _whole_average(reader, source)
    return pooled if attribute(node, "keepdims", 1) else reader.add(Reshape(shape=shape[:1]), pooled)


def _whole_average(reader: Reader, source: Feature) -> Feature:
    size = reader.shape(source)[1:]
    if not size:
        raise ModelError("an input with spatial axes expected")
    ones = (1,) * len(size)
    pool = AveragePool(kernel=size, strides=ones, pads=(0,) * (2 * len(size)), dilations=ones)
    return reader.add(pool, source)


def reshaped(target: list[int], shape: Shape, batch: int | None) -> Shape:
    """The feature shape that an ONNX Reshape to `target` gives, the batch axis in front kept.

    batch: the number of samples, where the model fixes it.
    """
    if len(target) < 2 or target[0] not in (0, -1, batch):
        raise ModelError(f"a shape that keeps the batch axis of {batch or 'any'} samples expected, found {target}")
    sizes = [shape[i] if n == 0 and i < len(shape) else n for i, n in enumerate(target[1:])]
    known = int(np.prod([n for n in sizes if n > 0]))
    total = int(np.prod(shape))
    if sizes.count(-1) == 1 and target[0] != -1 and total % known == 0:
        sizes[sizes.index(-1)] = total // known
    if min(sizes) < 1 or int(np.prod(sizes)) != total:
        raise ModelError(f"a shape that keeps the batch axis and {total} entries expected, found {target}")
    return tuple(sizes)
