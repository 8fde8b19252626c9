"""What an ONNX value stands for while a graph is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.ir.op import Array


@dataclass(frozen=True)
class Feature:
    """The output of an IR node."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A known array, batch axis and all."""

    array: Array


@dataclass(frozen=True)
class Grid:
    """The integers that a quantiser maps to: step(s) along `axis`, zero point(s), least and greatest code."""

    scale: Array
    zero_point: Array
    axis: int
    qmin: int
    qmax: int


@dataclass(frozen=True)
class Codes:
    """Integers between QuantizeLinear and DequantizeLinear, made of a feature or of a constant."""

    source: Feature | Constant
    grid: Grid


@dataclass(frozen=True)
class Weights:
    """A dequantised constant: value = codes * scale, the zero point taken off the codes already.

    codes: int64, or int8 as the file has them, any shape.  scale: scalar, or one entry for each index along `axis`.
    """

    codes: Array
    scale: Array
    axis: int

    def dequantised(self) -> Array:
        """The values, multiplied in float32 as ONNX Runtime does."""
        shape = [1] * self.codes.ndim
        if self.scale.size > 1:
            shape[self.axis] = -1
        return self.codes.astype(np.float32) * self.scale.astype(np.float32).reshape(shape)


Symbol = Feature | Constant | Codes | Weights
