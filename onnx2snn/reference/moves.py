"""Ops that move numbers, on batched arrays of any type; what is new is zero."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Dilate, Gather, Pad, Reshape, Transpose
from onnx2snn.reference.functions import FUNCTIONS


@FUNCTIONS.rule(Reshape)
def _reshape(op: Reshape, x: Array) -> Array:
    return x.reshape(len(x), *op.shape)


@FUNCTIONS.rule(Transpose)
def _transpose(op: Transpose, x: Array) -> Array:
    return x.transpose(0, *(axis + 1 for axis in op.perm))


@FUNCTIONS.rule(Gather)
def _gather(op: Gather, x: Array) -> Array:
    return x.take(op.indices, axis=op.axis + 1)


@FUNCTIONS.rule(Pad)
def _pad(op: Pad, x: Array) -> Array:
    rank = len(op.pads) // 2
    return np.pad(x, [(0, 0), *((op.pads[i], op.pads[i + rank]) for i in range(rank))])


@FUNCTIONS.rule(Dilate)
def _dilate(op: Dilate, x: Array) -> Array:
    result = np.zeros((len(x), *op.infer(x.shape[1:])), x.dtype)
    result[(slice(None), slice(None), *(slice(None, None, s) for s in op.strides))] = x
    return result
