"""The ops of QONNX in float32, and what onnx's reference evaluator needs beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from onnx2snn.frontends.onnx.domains import QONNX
from onnx2snn.frontends.onnx.qonnx_numbers import channel_axis, code_range, rounding_of
from onnx2snn.ir.op import Array

ONE = np.float32(1)


class Quant(OpRun):
    """scale (round(clip(x / scale + zero)) - zero); one signed bit: the sign, two codes two steps apart."""

    op_domain = QONNX

    def _run(
        self,
        x: Array,
        scale: Array,
        zero: Array,
        bits: Array,
        signed: int = 1,
        narrow: int = 0,
        rounding_mode: str = "ROUND",
    ) -> tuple[Array]:
        step, offset = np.asarray(scale, np.float32), np.asarray(zero, np.float32)
        places = np.asarray(x, np.float32) / step + offset
        width = int(np.max(bits))
        if signed and width == 1:
            codes = np.where(places >= 0, ONE, -ONE)
        else:
            codes = rounding_of(rounding_mode)[0](np.clip(places, *code_range(width, bool(signed), bool(narrow))))
        return (np.asarray((codes - offset) * step, np.float32),)


class IntQuant(Quant):
    """Another name of Quant."""


class BipolarQuant(OpRun):
    """+scale where x >= 0, else -scale."""

    op_domain = QONNX

    def _run(self, x: Array, scale: Array) -> tuple[Array]:
        return (np.where(x >= 0, ONE, -ONE) * np.asarray(scale, np.float32),)


class Trunc(OpRun):
    """Whole numbers divided by a power of two and rounded; out: bits, or scale, [zero point,] and bits."""

    op_domain = QONNX

    def _run(
        self,
        x: Array,
        scale: Array,
        zero: Array,
        in_bits: Array,
        *out: Array,
        rounding_mode: str = "FLOOR",
        signed: int = 1,
        narrow: int = 0,
    ) -> tuple[Array]:
        step, offset = np.asarray(scale, np.float32), np.asarray(zero, np.float32)
        whole = np.rint(np.asarray(x, np.float32) / step + offset)
        function, bits = rounding_of(rounding_mode)[0], int(np.max(out[-1]))
        if len(out) == 1:
            dropped = np.float32(2.0 ** (int(np.max(in_bits)) - bits))
            return (np.asarray((function(whole / dropped) - offset) * step, np.float32),)
        made = np.asarray(out[0], np.float32)
        dropped = np.exp2(np.rint(np.log2(made / step)))
        codes = function(np.clip(whole / dropped, *code_range(bits, bool(signed), bool(narrow))))
        return (np.asarray((codes - offset / dropped) * made, np.float32),)


class MultiThreshold(OpRun):
    """out_scale (number of thresholds that x has reached) + out_bias."""

    op_domain = QONNX

    def _run(
        self,
        x: Array,
        thresholds: Array,
        out_scale: float = 1.0,
        out_bias: float = 0.0,
        out_dtype: str = "",
        data_layout: str = "NCHW",
    ) -> tuple[Array]:
        axis = channel_axis(data_layout, x.ndim)
        values = np.moveaxis(np.asarray(x, np.float32), axis, -1)
        counts = np.zeros(values.shape, np.float32)
        for row in np.asarray(thresholds, np.float32).T:
            counts += values >= row
        return (np.moveaxis(counts * np.float32(out_scale) + np.float32(out_bias), -1, axis),)


class DebugMarker(OpRun):
    """Nothing but a name."""

    op_domain = QONNX

    def _run(self, x: Any, export_debug_name: str = "") -> tuple[Any]:
        return (x,)


class BatchNormalization(OpRun):
    """gamma (x - mean) / sqrt(var + epsilon) + beta: the evaluator's own takes a momentum (opset 9) for training."""

    op_domain = ""

    def _run(
        self, x: Array, gamma: Array, beta: Array, mean: Array, var: Array, epsilon: float = 1e-5, **_: Any
    ) -> tuple[Array]:
        column = (-1, *(1,) * (x.ndim - 2))
        factor = (gamma / np.sqrt(var + np.float32(epsilon))).reshape(column)
        return ((x - mean.reshape(column)) * factor + beta.reshape(column),)


OPS: list[type[OpRun]] = [BatchNormalization, Quant, IntQuant, BipolarQuant, Trunc, MultiThreshold, DebugMarker]
