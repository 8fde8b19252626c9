"""What each NIR type is in the IR."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from onnx2snn.errors import ModelError
from onnx2snn.frontends.nir.dynamics import Cell, Discretisation, cuba_cell, if_cell, lif_cell, threshold_cell
from onnx2snn.frontends.nir.fields import array, features, parameter, small, wholes, word
from onnx2snn.frontends.nir.file import Raw
from onnx2snn.frontends.nir.reader import Reader, rule
from onnx2snn.ir import Array, Shape
from onnx2snn.ir.ops import Affine, AveragePool, Conv, Dense, Input, Reshape, SumPool

CELLS: dict[str, Callable[[Raw, Shape, Discretisation], Cell]] = {
    "IF": if_cell,
    "LIF": lif_cell,
    "CubaLIF": cuba_cell,
    "Threshold": threshold_cell,
}


@rule("Input")
def _input(reader: Reader, raw: Raw, source: str) -> str:
    return reader.add(Input(shape=features(raw.fields)))


@rule("Affine", "Linear")
def _dense(reader: Reader, raw: Raw, source: str) -> str:
    weight = array(raw.fields, "weight")
    bias = array(raw.fields, "bias").reshape(-1) if raw.type == "Affine" else None
    return reader.add(Dense(weight=weight, bias=_some(bias)), source)


@rule("Conv1d", "Conv2d")
def _conv(reader: Reader, raw: Raw, source: str) -> str:
    weight, rank, fields = array(raw.fields, "weight"), int(raw.type[4]), raw.fields
    if weight.ndim != rank + 2:
        raise ModelError(f"weight: {rank + 2} axes expected, found shape {weight.shape}")
    shape = reader.shape(source)
    if len(shape) != rank + 1:
        raise ModelError(f"features of {rank + 1} axes expected, found {shape}")
    strides, dilations = (wholes(fields, name, rank, 1, 1) for name in ("stride", "dilation"))
    op = Conv(
        weight=weight,
        bias=_some(array(fields, "bias").reshape(-1) if "bias" in fields else None),
        strides=strides,
        pads=_pads(raw, weight.shape[2:], strides, dilations),
        dilations=dilations,
        groups=wholes(fields, "groups", 1, 1, 1)[0],
    )
    return reader.add(op, source)


def _pads(raw: Raw, kernel: Shape, strides: Shape, dilations: Shape) -> Shape:
    """Zeros before and behind each axis; `same` as PyTorch pads, the odd one behind."""
    said = word(raw.fields, "padding")
    if not said:
        return wholes(raw.fields, "padding", len(kernel), 0) * 2
    if said == "valid":
        return (0,) * (2 * len(kernel))
    if said != "same" or set(strides) != {1}:
        raise ModelError(f"padding: numbers, valid, or same with stride 1 expected, found {said!r}")
    total = [d * (k - 1) for k, d in zip(kernel, dilations, strict=True)]
    return (*(n // 2 for n in total), *(n - n // 2 for n in total))


def _some(bias: Array | None) -> Array | None:
    return bias if bias is not None and bias.any() else None


@rule("SumPool2d", "AvgPool2d")
def _pool(reader: Reader, raw: Raw, source: str) -> str:
    shape = reader.shape(source)
    if len(shape) != 3:
        raise ModelError(f"features of 3 axes expected, found {shape}")
    kernel = wholes(raw.fields, "kernel_size", 2, least=1)
    strides = wholes(raw.fields, "stride", 2, least=1) if "stride" in raw.fields else kernel
    pads = wholes(raw.fields, "padding", 2, 0) * 2
    window = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": (1, 1)}
    average = raw.type == "AvgPool2d"
    return reader.add(AveragePool(**window, count_padding=True) if average else SumPool(**window), source)


@rule("Flatten")
def _flatten(reader: Reader, raw: Raw, source: str) -> str:
    shape = reader.shape(source)
    first, last = _axis(raw, "start_dim", 1, len(shape)), _axis(raw, "end_dim", -1, len(shape))
    if first > last:
        raise ModelError(f"axes in order expected, found {first} to {last} of {shape}")
    together = prod(shape[first : last + 1])
    return reader.add(Reshape(shape=(*shape[:first], together, *shape[last + 1 :])), source)


def _axis(raw: Raw, name: str, default: int, rank: int) -> int:
    (axis,) = wholes(raw.fields, name, 1, default, -rank)
    if axis >= rank:
        raise ModelError(f"{name}: an axis of {rank} expected, found {axis}")
    return axis % rank


@rule("Scale")
def _scale(reader: Reader, raw: Raw, source: str) -> str:
    shape = reader.shape(source)
    return reader.add(Affine(scale=small(parameter(raw.fields, "scale", shape), shape)), source)


@rule(*CELLS)
def _neuron(reader: Reader, raw: Raw, source: str) -> str:
    cell = CELLS[raw.type](raw, reader.shape(source), reader.dynamics())
    name = reader.add(cell.op(cell.leaky), source)
    reader.cells[name] = cell
    return name
