"""What an ONNX value stands for while a graph is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.ir.op import Array

if TYPE_CHECKING:
    import onnx_ir


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

    def same(self, scale: Array, zero_point: Array) -> bool:
        """Whether scale and zero point are these."""
        pairs = ((scale, self.scale), (zero_point, self.zero_point))
        return all(np.array_equal(given.ravel(), mine.ravel()) for given, mine in pairs)


@dataclass(frozen=True, eq=False)
class Codes:
    """Integers on a grid, as between QuantizeLinear and DequantizeLinear, made of a feature or of a constant.

    settled: whether the feature lies on the grid already (as behind a max-pool of codes), so that nothing is left to
    round.  maker: the node that made the codes, where a quantiser of its own stands for it.
    """

    source: Feature | Constant
    grid: Grid
    settled: bool = False
    maker: onnx_ir.Node | None = None


@dataclass(frozen=True)
class Integers:
    """An integer input of the model; whoever dequantises it says what it means.  qmin, qmax: of its type."""

    source: Feature
    qmin: int
    qmax: int


@dataclass(frozen=True)
class DynamicCodes:
    """Codes whose grid depends on the data: `source` stands for what they mean.  quantiser: who made them."""

    source: Feature
    quantiser: str


@dataclass(frozen=True)
class DynamicScale:
    """The scale that a dynamic quantiser works out, times a constant."""

    quantiser: str
    factor: Array


@dataclass(frozen=True)
class DynamicZero:
    """The zero point that a dynamic quantiser works out."""

    quantiser: str


@dataclass(frozen=True)
class DynamicSum:
    """Products of dynamic codes with whole weights: `source` once multiplied by the quantiser's scale."""

    source: Feature
    quantiser: str


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


Symbol = Feature | Constant | Codes | Weights | Integers | DynamicCodes | DynamicScale | DynamicZero | DynamicSum
