"""Conv, Gemm and MatMul."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.moves import padded
from onnx2snn.frontends.onnx.operands import attribute, constant, feature, integers
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import rule
from onnx2snn.frontends.onnx.symbols import Constant, Symbol, Weights
from onnx2snn.frontends.onnx.windows import padding
from onnx2snn.ir.op import Array, Shape
from onnx2snn.ir.ops import Conv, Dense, Dilate

if TYPE_CHECKING:
    import onnx_ir

MOST_WHOLE = 1 << 15  #: whole weights beyond it are real ones that happen to be whole


@rule("Conv")
def conv(reader: Reader, node: onnx_ir.Node, x: Symbol, w: Symbol, b: Symbol | None = None) -> Symbol:
    source = feature(x)
    weight, scale = weight_and_scale(w, 0)
    rank = weight.ndim - 2
    if rank < 1:
        raise ModelError(f"weight of at least 3 axes expected, found shape {weight.shape}")
    kernel = weight.shape[2:]
    if integers(attribute(node, "kernel_shape"), kernel) != kernel:
        raise ModelError(f"kernel_shape {attribute(node, 'kernel_shape')} does not fit weight {weight.shape}")
    strides = integers(attribute(node, "strides"), (1,) * rank)
    dilations = integers(attribute(node, "dilations"), (1,) * rank)
    pads = padding(node, reader.shape(source)[1:], kernel, strides, dilations)
    op = Conv(
        weight=weight,
        scale=scale,
        bias=_bias(b, weight.shape[0]),
        strides=strides,
        pads=pads,
        dilations=dilations,
        groups=int(attribute(node, "group", 1)),
    )
    return reader.add(op, source)


@rule("ConvTranspose")
def _conv_transpose(reader: Reader, node: onnx_ir.Node, x: Symbol, w: Symbol, b: Symbol | None = None) -> Symbol:
    """Zeros between the entries, then a convolution with the kernel turned round."""
    source = feature(x)
    weight, scale = weight_and_scale(w, 1)
    rank, groups = weight.ndim - 2, int(attribute(node, "group", 1))
    if rank < 1:
        raise ModelError(f"weight of at least 3 axes expected, found shape {weight.shape}")
    ones = (1,) * rank
    strides, dilations = (integers(attribute(node, name), ones) for name in ("strides", "dilations"))
    begins, ends = _transposed_pads(node, reader.shape(source)[1:], weight.shape[2:], strides, dilations)
    spread = source if strides == ones else reader.add(Dilate(strides=strides), source)
    op = Conv(
        weight=_turned(weight, groups),
        scale=None if scale is None else np.tile(scale, groups),
        bias=_bias(b, weight.shape[1] * groups),
        strides=ones,
        pads=(0,) * (2 * rank),
        dilations=dilations,
        groups=groups,
    )
    return reader.add(op, padded(reader, spread, (0, *begins), (0, *ends)))


def _turned(weight: Array, groups: int) -> Array:
    """Weights (in, out / groups, *kernel) of a transposed convolution as those of a convolution."""
    inside, outside, *kernel = weight.shape
    grouped = weight.reshape(groups, inside // groups, outside, *kernel).swapaxes(1, 2)
    return np.flip(grouped.reshape(groups * outside, inside // groups, *kernel), tuple(range(2, weight.ndim)))


def _transposed_pads(
    node: onnx_ir.Node, size: Shape, kernel: Shape, strides: Shape, dilations: Shape
) -> tuple[Shape, Shape]:
    """Zeros before and after the spread input; negative ones cut."""
    rank = len(kernel)
    extra = integers(attribute(node, "output_padding"), (0,) * rank)
    pads = integers(attribute(node, "pads"), (0,) * (2 * rank))
    mode = str(attribute(node, "auto_pad", "NOTSET"))
    wanted = attribute(node, "output_shape")
    if wanted is not None or mode.startswith("SAME"):
        sizes = [n * s for n, s in zip(size, strides, strict=True)] if wanted is None else [int(n) for n in wanted]
        full = [s * (n - 1) + e + d * (k - 1) + 1 for n, s, e, d, k in zip(size, strides, extra, dilations, kernel)]  # noqa: B905
        totals = [f - n for f, n in zip(full, sizes[-rank:], strict=True)]
        less, more = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
        pads = less + more if mode == "SAME_UPPER" else more + less
    reach = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    begins = tuple(r - p for r, p in zip(reach, pads[:rank], strict=True))
    return begins, tuple(r - p + e for r, p, e in zip(reach, pads[rank:], extra, strict=True))


@rule("Gemm")
def gemm(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol, c: Symbol | None = None) -> Symbol:
    source = feature(a, "A")
    if attribute(node, "transA", 0):
        raise ModelError("transA = 0 expected, found 1")
    if len(reader.shape(source)) != 1:
        raise ModelError(f"a flat input (batch, features) expected, found {reader.shape(source)}")
    transposed = bool(attribute(node, "transB", 0))
    weight, scale = weight_and_scale(b, 0 if transposed else 1)
    if not transposed:
        weight = weight.T
    alpha, beta = float(attribute(node, "alpha", 1.0)), float(attribute(node, "beta", 1.0))
    bias = _bias(c, weight.shape[0])
    if alpha != 1.0:
        weight, scale = _times(weight, scale, alpha)
    return reader.add(Dense(weight=weight, scale=scale, bias=None if bias is None else bias * beta), source)


@rule("MatMul")
def matmul(reader: Reader, node: onnx_ir.Node, a: Symbol, b: Symbol) -> Symbol:
    source = feature(a, "left operand")
    weight, scale = weight_and_scale(b, 1)
    if weight.ndim != 2:
        raise ModelError(f"a constant matrix as right operand expected, found shape {weight.shape}")
    return reader.add(Dense(weight=weight.T, scale=scale), source)


def weight_and_scale(symbol: Symbol | None, out_axis: int) -> tuple[Array, Array | None]:
    """Integer weights with one scale for each output channel, or real weights and None.

    Weights that are stored as real numbers but whole, as FINN and NEMO write them, are integers of scale one.
    """
    if isinstance(symbol, Weights) and (symbol.scale.size == 1 or symbol.axis == out_axis):
        codes = symbol.codes
        small = codes.min(initial=0) >= -127 and codes.max(initial=0) <= 127  # -128 has no negative in int8
        codes = codes.astype(np.int8 if small else np.int64, copy=False)
        return codes, np.broadcast_to(symbol.scale, (codes.shape[out_axis],)).astype(np.float64)
    if isinstance(symbol, (Constant, Weights)):
        weight = constant(symbol, "weight").astype(np.float64)
        return _whole(weight, out_axis) or (weight, None)
    raise ModelError("constant weights expected, found weights that depend on the input")


def _whole(weight: Array, out_axis: int) -> tuple[Array, Array] | None:
    """Weights that are stored as real numbers but whole, as codes of scale one; None where they are not."""
    if not weight.any() or np.abs(weight).max() > MOST_WHOLE or (weight != np.rint(weight)).any():
        return None
    codes = weight.astype(np.int8 if np.abs(weight).max() <= 127 else np.int64)
    return codes, np.ones(codes.shape[out_axis])


def _times(weight: Array, scale: Array | None, factor: float) -> tuple[Array, Array | None]:
    """Whole weights take the sign of the factor and their scale its size; real weights take all of it."""
    if scale is None or factor == 0:
        return weight * factor, None
    return weight * np.sign(factor).astype(weight.dtype), scale * abs(factor)


def _bias(symbol: Symbol | None, channels: int) -> Array | None:
    if symbol is None:
        return None
    values = constant(symbol, "bias").astype(np.float64)
    if values.size not in (1, channels):
        raise ModelError(f"bias of shape ({channels},) expected, found {values.shape}")
    return np.broadcast_to(values.reshape(-1), (channels,))
