"""Writes a trained `nn.Sequential` of quantised modules as ONNX in the QCDQ form.

QCDQ = QuantizeLinear -> Clip -> DequantizeLinear: the Clip, on uint8, says how many of the 256 codes are used
and is left out where all of them are (the form of Brevitas' `export_onnx_qcdq`). Per module:

    InputQuantiser            QuantizeLinear(uint8) -> [Clip(0, hi)] -> DequantizeLinear
    LearnedStepActivation     Relu -> QuantizeLinear(uint8) -> [Clip(0, hi)] -> DequantizeLinear
    QuantConv2d, QuantLinear  int8 codes -> DequantizeLinear(axis=0) -> Conv, or Gemm(transB=1)
    BatchNorm1d/2d            BatchNormalization, left unfolded: the int8 weights stay whole numbers
    MaxPool2d, AvgPool2d, Flatten

The model itself is only read, never run.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from onnx2snn.errors import Onnx2SnnError, located
from onnx2snn.table import Table
from onnx2snn.training.modules import QuantConv2d, QuantLinear
from onnx2snn.training.onnx_writer import Writer, save
from onnx2snn.training.quantisers import InputQuantiser, LearnedStep, LearnedStepActivation

Rule = Callable[[Writer, str, Any, str], str]
"""(writer, path of the module, module, name of its input) -> name of its output"""

EXPORTS: Table[Rule] = Table("the ONNX exporter")


class ExportError(Onnx2SnnError):
    """A module cannot be written as ONNX."""


def export_onnx(model: nn.Sequential, sample_shape: tuple[int, ...], path: str | PathLike[str]) -> None:
    """Writes `model` to `path`: float32 `input` (N, *sample_shape) to float32 `output`, opset 18.

    Batch normalisation uses its running statistics, whatever mode the model is in.
    Raises ExportError, naming the module, for one of an unknown class, with options that ONNX or this writer
    does not have, or whose steps no batch has set yet; nothing is written then.
    """
    writer = Writer()
    _emit(writer, "", model, "input")
    save(writer.model(type(model).__name__, sample_shape), Path(path))


def _emit(writer: Writer, path: str, module: nn.Module, x: str) -> str:
    kind = type(module)
    with located(f"module {path or '(top)'} ({kind.__name__})"):
        if kind not in EXPORTS:
            known = ", ".join(sorted(k.__name__ for k in EXPORTS))
            raise ExportError(f"expected one of {known}")
        return EXPORTS[kind](writer, path, module, x)


def _require(holds: bool, expected: str) -> None:
    if not holds:
        raise ExportError(f"expected {expected}")


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _pair(value: int | tuple[int, ...]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


@EXPORTS.rule(nn.Sequential)
def _sequential(writer: Writer, path: str, module: nn.Sequential, x: str) -> str:
    _require(len(module) > 0, "at least one module")
    for name, child in module.named_children():
        x = _emit(writer, f"{path}.{name}" if path else name, child, x)
    return x


@EXPORTS.rule(InputQuantiser)
def _quantise(writer: Writer, path: str, module: InputQuantiser | LearnedStepActivation, x: str) -> str:
    scale = writer.constant(f"{path}.scale", _numpy(module.step))
    zero = writer.constant(f"{path}.zero_point", np.array(0, np.uint8))
    x = writer.node("QuantizeLinear", path, x, scale, zero)
    if module.hi < 255:
        hi = writer.constant(f"{path}.hi", np.array(module.hi, np.uint8))
        x = writer.node("Clip", path, x, zero, hi)
    return writer.node("DequantizeLinear", path, x, scale, zero)


@EXPORTS.rule(LearnedStepActivation)
def _activation(writer: Writer, path: str, module: LearnedStepActivation, x: str) -> str:
    _require_started(module)
    return _quantise(writer, path, module, writer.node("Relu", path, x))


def _require_started(quantiser: LearnedStep) -> None:
    _require(bool(quantiser.started), "steps set by a first batch; run the model on data before exporting")


def _weight(writer: Writer, path: str, module: QuantConv2d | QuantLinear) -> str:
    _require_started(module.quantiser)
    step = _numpy(module.quantiser.step)
    codes = writer.constant(f"{path}.weight", _numpy(module.quantiser.codes(module.weight)))
    scale = writer.constant(f"{path}.weight.scale", step)
    zero = writer.constant(f"{path}.weight.zero_point", np.zeros(step.shape, np.int8))
    return writer.node("DequantizeLinear", f"{path}.weight", codes, scale, zero, axis=0)


def _bias(writer: Writer, path: str, bias: Tensor | None) -> tuple[str, ...]:
    return () if bias is None else (writer.constant(f"{path}.bias", _numpy(bias)),)


@EXPORTS.rule(QuantConv2d)
def _conv(writer: Writer, path: str, module: QuantConv2d, x: str) -> str:
    weight, bias = _weight(writer, path, module), _bias(writer, path, module.bias)
    padding = _pair(module.padding)  # pyright: ignore[reportArgumentType]  QuantConv2d takes no string
    return writer.node(
        "Conv",
        path,
        x,
        weight,
        *bias,
        kernel_shape=_pair(module.kernel_size),
        strides=_pair(module.stride),
        pads=padding * 2,
        group=module.groups,
    )


@EXPORTS.rule(QuantLinear)
def _linear(writer: Writer, path: str, module: QuantLinear, x: str) -> str:
    weight, bias = _weight(writer, path, module), _bias(writer, path, module.bias)
    return writer.node("Gemm", path, x, weight, *bias, transB=1)


@EXPORTS.rule(nn.BatchNorm1d, nn.BatchNorm2d)
def _batchnorm(writer: Writer, path: str, module: nn.BatchNorm2d, x: str) -> str:
    mean, variance = module.running_mean, module.running_var
    if mean is None or variance is None or not module.affine:
        raise ExportError("expected running statistics and affine=True")
    tensors = {"gamma": module.weight, "beta": module.bias, "mean": mean, "variance": variance}
    names = [writer.constant(f"{path}.{name}", _numpy(tensor)) for name, tensor in tensors.items()]
    return writer.node("BatchNormalization", path, x, *names, epsilon=module.eps)


@EXPORTS.rule(nn.MaxPool2d)
def _maxpool(writer: Writer, path: str, module: nn.MaxPool2d, x: str) -> str:
    _require(not (module.ceil_mode or module.return_indices), "no ceil_mode and no return_indices")
    _require(_pair(module.dilation) == [1, 1], f"dilation 1, found {module.dilation}")
    return writer.node("MaxPool", path, x, **_window(module))


@EXPORTS.rule(nn.AvgPool2d)
def _avgpool(writer: Writer, path: str, module: nn.AvgPool2d, x: str) -> str:
    _require(not module.ceil_mode and module.divisor_override is None, "no ceil_mode and no divisor_override")
    return writer.node("AveragePool", path, x, **_window(module), count_include_pad=int(module.count_include_pad))


def _window(module: nn.MaxPool2d | nn.AvgPool2d) -> dict[str, list[int]]:
    stride = module.stride if module.stride is not None else module.kernel_size
    return {
        "kernel_shape": _pair(module.kernel_size),
        "strides": _pair(stride),
        "pads": _pair(module.padding) * 2,
    }


@EXPORTS.rule(nn.Flatten)
def _flatten(writer: Writer, path: str, module: nn.Flatten, x: str) -> str:
    _require((module.start_dim, module.end_dim) == (1, -1), "start_dim=1 and end_dim=-1")
    return writer.node("Flatten", path, x, axis=1)
