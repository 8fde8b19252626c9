"""What a dialect's file computes: by ONNX Runtime, or by onnx's reference with the ops of QONNX written out here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from models import Array
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from dialects.network import Dialect
from onnx2snn.frontends.onnx import OnnxRuntime

QONNX = "qonnx.custom_op.general"


class Quant(OpRun):
    """clip(round(x / scale + zero), qmin, qmax) - zero, times scale; half to even."""

    op_domain = QONNX

    def _run(self, x: Any, scale: Any, zero: Any, bits: Any, signed: int = 1, narrow: int = 0, **_: Any) -> Any:
        low = -(2 ** (bits - 1)) + narrow if signed else 0
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
        return (((np.clip(np.rint(x / scale + zero), low, high) - zero) * scale).astype(np.float32),)


class BipolarQuant(OpRun):
    """+scale where x >= 0, else -scale."""

    op_domain = QONNX

    def _run(self, x: Any, scale: Any) -> Any:
        return (np.where(x >= 0, scale, -scale).astype(np.float32),)


class MultiThreshold(OpRun):
    """Thresholds (channels or 1, steps) that x has reached, counted, times out_scale, plus out_bias."""

    op_domain = QONNX

    def _run(self, x: Any, steps: Any, out_scale: float = 1.0, out_bias: float = 0.0, **_: Any) -> Any:
        rows = steps.reshape(1, len(steps), *(1,) * (x.ndim - 2), -1)
        counts = (x[..., None] >= rows).sum(axis=-1)
        return ((counts * (out_scale or 1.0) + (out_bias or 0.0)).astype(np.float32),)


def output(dialect: Dialect, path: Path, x: Array) -> Array:
    """The file's output for a batch."""
    if dialect.runs:
        runtime = OnnxRuntime(path)
        return runtime.run(x)[runtime.output]
    evaluator = ReferenceEvaluator(onnx.load(str(path)), new_ops=[Quant, BipolarQuant, MultiThreshold])
    (found,) = evaluator.run(None, {"x": x})
    return np.asarray(found)
