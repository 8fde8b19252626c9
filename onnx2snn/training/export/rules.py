"""What each module becomes in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from onnx2snn.errors import Onnx2SnnError, located
from onnx2snn.table import Table
from onnx2snn.training.export.dialects import Dialect
from onnx2snn.training.export.writer import Writer
from onnx2snn.training.layers import PreActivated, QuantConv2d, QuantLinear, Residual
from onnx2snn.training.quantisers import (
    InputQuantiser,
    LearnedClipActivation,
    LearnedStepActivation,
    MedianActivation,
    PactActivation,
    QcfsActivation,
    Quantiser,
    RateNorm,
)


class ExportError(Onnx2SnnError):
    """A network cannot be written as ONNX."""


@dataclass(frozen=True)
class Emitter:
    """Where nodes go, and how quantisers are spelled.

    levels: timesteps T that a rate norm layer is written for, as a staircase of T steps; 0 leaves it real-valued.
    v0: initial membrane of those neurons in thresholds, 0 (the counts are rounded down) or 0.5 (to the nearest).
    """

    writer: Writer
    dialect: Dialect
    levels: int = 0
    v0: float = 0.0

    def emit(self, path: str, module: nn.Module, x: str) -> str:
        """Writes `module`, found at `path` of the network, behind tensor `x`; returns the name of its output."""
        kind = type(module)
        with located(f"module {path or '(top)'} ({kind.__name__})"):
            if kind not in EXPORTS:
                known = ", ".join(sorted(k.__name__ for k in EXPORTS))
                raise ExportError(f"expected one of {known}")
            return EXPORTS[kind](self, path, module, x)

    def constant(self, name: str, tensor: Tensor) -> str:
        """An initialiser with a tensor's values."""
        return self.writer.constant(name, tensor.detach().cpu().numpy())


Rule = Callable[[Emitter, str, Any, str], str]
"""(emitter, path of the module, module, name of its input) -> name of its output"""

EXPORTS: Table[Rule] = Table("the ONNX exporter")


def _require(holds: bool, expected: str) -> None:
    if not holds:
        raise ExportError(f"expected {expected}")


def _require_ready(module: Quantiser | RateNorm) -> None:
    _require(module.ready, "steps set by a first batch; run the network on data before exporting")


def _pair(value: int | tuple[int, ...]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@EXPORTS.rule(nn.Sequential)
def _sequential(out: Emitter, path: str, module: nn.Sequential, x: str) -> str:
    _require(len(module) > 0, "at least one module")
    for name, child in module.named_children():
        x = out.emit(_at(path, name), child, x)
    return x


@EXPORTS.rule(Residual)
def _residual(out: Emitter, path: str, module: Residual, x: str) -> str:
    branch = x if module.shortcut is None else out.emit(_at(path, "shortcut"), module.shortcut, x)
    return out.writer.node("Add", path, out.emit(_at(path, "body"), module.body, x), branch)


@EXPORTS.rule(PreActivated)
def _preactivated(out: Emitter, path: str, module: PreActivated, x: str) -> str:
    a = out.emit(_at(path, "head"), module.head, x)
    branch = x if module.shortcut is None else out.emit(_at(path, "shortcut"), module.shortcut, a)
    return out.writer.node("Add", path, out.emit(_at(path, "body"), module.body, a), branch)


@EXPORTS.rule(InputQuantiser)
def _input(out: Emitter, path: str, module: InputQuantiser, x: str) -> str:
    return out.dialect.activation(out.writer, path, module, x)


@EXPORTS.rule(LearnedStepActivation, LearnedClipActivation, PactActivation, QcfsActivation, MedianActivation)
def _activation(out: Emitter, path: str, module: Quantiser, x: str) -> str:
    _require_ready(module)
    return out.dialect.activation(out.writer, path, module, out.writer.node("Relu", path, x))


@EXPORTS.rule(RateNorm)
def _rate_norm(out: Emitter, path: str, module: RateNorm, x: str) -> str:
    _require_ready(module)
    writer = out.writer
    x = writer.node("Relu", path, x)
    theta, one = module.theta.detach().cpu(), writer.constant(f"{path}.one", np.array(1, np.float32))
    zero = writer.constant(f"{path}.zero", np.array(0, np.float32))
    if not out.levels:
        x = writer.node("Div", path, x, out.constant(f"{path}.theta", theta))
        return writer.node("Clip", path, x, zero, one)
    x = writer.node("Div", path, x, out.constant(f"{path}.step", theta / out.levels))
    if out.v0:
        x = writer.node("Add", path, x, writer.constant(f"{path}.v0", np.array(out.v0, np.float32)))
    x = writer.node("Floor", path, x)
    x = writer.node("Clip", path, x, zero, writer.constant(f"{path}.levels", np.array(out.levels, np.float32)))
    return writer.node("Mul", path, x, writer.constant(f"{path}.rate", np.array(1 / out.levels, np.float32)))


@EXPORTS.rule(nn.ReLU)
def _relu(out: Emitter, path: str, module: nn.ReLU, x: str) -> str:
    return out.writer.node("Relu", path, x)


def _weight(out: Emitter, path: str, module: QuantConv2d | QuantLinear) -> str:
    if module.quantiser is None:
        return out.constant(f"{path}.weight", module.weight)
    _require_ready(module.quantiser)
    return out.dialect.weight(out.writer, f"{path}.weight", module.quantiser, module.weight)


def _bias(out: Emitter, path: str, bias: Tensor | None) -> tuple[str, ...]:
    return () if bias is None else (out.constant(f"{path}.bias", bias),)


@EXPORTS.rule(QuantConv2d)
def _conv(out: Emitter, path: str, module: QuantConv2d, x: str) -> str:
    padding = _pair(module.padding)  # pyright: ignore[reportArgumentType]  QuantConv2d takes no string
    return out.writer.node(
        "Conv",
        path,
        x,
        _weight(out, path, module),
        *_bias(out, path, module.bias),
        kernel_shape=_pair(module.kernel_size),
        strides=_pair(module.stride),
        dilations=_pair(module.dilation),
        pads=padding * 2,
        group=module.groups,
    )


@EXPORTS.rule(QuantLinear)
def _linear(out: Emitter, path: str, module: QuantLinear, x: str) -> str:
    return out.writer.node("Gemm", path, x, _weight(out, path, module), *_bias(out, path, module.bias), transB=1)


@EXPORTS.rule(nn.BatchNorm1d, nn.BatchNorm2d)
def _batchnorm(out: Emitter, path: str, module: nn.BatchNorm2d, x: str) -> str:
    mean, variance = module.running_mean, module.running_var
    if mean is None or variance is None or not module.affine:
        raise ExportError("expected running statistics and affine=True")
    tensors = {"gamma": module.weight, "beta": module.bias, "mean": mean, "variance": variance}
    names = [out.constant(f"{path}.{name}", tensor) for name, tensor in tensors.items()]
    return out.writer.node("BatchNormalization", path, x, *names, epsilon=module.eps)


@EXPORTS.rule(nn.MaxPool2d)
def _maxpool(out: Emitter, path: str, module: nn.MaxPool2d, x: str) -> str:
    _require(not (module.ceil_mode or module.return_indices), "no ceil_mode and no return_indices")
    _require(_pair(module.dilation) == [1, 1], f"dilation 1, found {module.dilation}")
    return out.writer.node("MaxPool", path, x, **_window(module))


@EXPORTS.rule(nn.AvgPool2d)
def _avgpool(out: Emitter, path: str, module: nn.AvgPool2d, x: str) -> str:
    _require(not module.ceil_mode and module.divisor_override is None, "no ceil_mode and no divisor_override")
    return out.writer.node("AveragePool", path, x, **_window(module), count_include_pad=int(module.count_include_pad))


def _window(module: nn.MaxPool2d | nn.AvgPool2d) -> dict[str, list[int]]:
    stride = module.stride if module.stride is not None else module.kernel_size
    return {
        "kernel_shape": _pair(module.kernel_size),
        "strides": _pair(stride),
        "pads": _pair(module.padding) * 2,
    }


@EXPORTS.rule(nn.Flatten)
def _flatten(out: Emitter, path: str, module: nn.Flatten, x: str) -> str:
    _require((module.start_dim, module.end_dim) == (1, -1), "start_dim=1 and end_dim=-1")
    return out.writer.node("Flatten", path, x, axis=1)
