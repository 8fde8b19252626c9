"""Writes a trained network of quantised modules as ONNX, checked before anybody sees the file.

Per module, in the QCDQ dialect:

    InputQuantiser            QuantizeLinear(uint8) -> [Clip(0, hi)] -> DequantizeLinear
    activations               Relu -> QuantizeLinear(uint8) -> [Clip(0, hi)] -> DequantizeLinear; where ties go up,
                              Relu -> Div -> Add 1/2 -> Floor -> Clip -> Mul
    QuantConv2d, QuantLinear  int8 codes -> DequantizeLinear -> Conv, or Gemm(transB=1); real weights as they are
    BatchNorm1d/2d            BatchNormalization, left unfolded: the int8 weights stay whole numbers
    RateNorm                  Relu -> Div -> Clip; with levels T, Relu -> Div -> [Add v0] -> Floor -> Clip -> Mul
    Residual, PreActivated    Add;  ReLU, MaxPool2d, AvgPool2d, Flatten
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import nn

from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.training.export.dialects import DIALECTS
from onnx2snn.training.export.parity import Parity, compare, run_onnx
from onnx2snn.training.export.rules import Emitter, ExportError
from onnx2snn.training.export.writer import Writer, saving
from onnx2snn.training.quantisers import RateNorm

WORST = 0.05
"""The share of samples whose class may differ from PyTorch's: float32 sums in another order decide near-ties anew."""


def export_onnx(
    model: nn.Module,
    sample_shape: tuple[int, ...],
    path: str | PathLike[str],
    dialect: str = "qcdq",
    *,
    levels: int = 0,
    v0: float = 0.0,
    samples: np.ndarray | None = None,
) -> Parity | None:
    """Writes `model` to `path`: float32 `input` (N, *sample_shape) to float32 `output`, opset 18.

    dialect: qcdq or qonnx.  levels, v0: write rate norm layers as staircases of `levels` steps, see `Emitter`.
    samples: (N, *sample_shape); the file is run on them before it takes its place, and `Parity` returned.
    Batch normalisation uses its running statistics, whatever mode the model is in.
    Raises UsageError for `levels` of a network without rate norm layers and `v0` without `levels`.
    Raises ExportError, naming the module, for one of an unknown class, with options that ONNX or this writer
    does not have, or whose steps no batch has set yet, and where samples show another network; nothing is written then.
    """
    if dialect not in DIALECTS:
        raise UnknownNameError(f"no dialect {dialect!r} to export; known: {', '.join(DIALECTS)}")
    if levels and not any(isinstance(module, RateNorm) for module in model.modules()):
        raise UsageError("levels: a network with rate norm layers expected, found none (scheme rate-norm has them)")
    if v0 and not levels:
        raise UsageError(f"v0 {v0:g}: the initial membrane of staircases; levels above 0 expected, found {levels}")
    chosen = DIALECTS[dialect]
    writer = Writer()
    Emitter(writer, chosen, levels, v0).emit("", model, "input")
    proto = writer.model(type(model).__name__, sample_shape, _output_shape(model, sample_shape), chosen.domain)
    with saving(proto, Path(path)) as unfinished:
        if samples is None or levels:
            return None
        parity = compare(model, unfinished, samples)
        if parity.differing > WORST * parity.images:
            raise ExportError(f"the file computes another network: {parity}")
        return parity


def _output_shape(model: nn.Module, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one sample's output: that of a black image."""
    training = model.training
    model.eval()
    with torch.no_grad():
        shape = tuple(model(torch.zeros(1, *sample_shape)).shape[1:])
    model.train(training)
    return shape


__all__ = ["DIALECTS", "ExportError", "Parity", "compare", "export_onnx", "run_onnx"]
