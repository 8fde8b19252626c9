"""Ops of the trained network that passes turn into something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from onnx2snn.ir.op import Array, Op, Shape, finite, require


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Relu(Op):
    """y = max(x, 0)."""

    def infer(self, *shapes: Shape) -> Shape:
        return shapes[0]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Clip(Op):
    """y = min(max(x, low), high).  (C1) low < high."""

    low: float
    high: float

    def check(self) -> None:
        require(self.low < self.high, "C1", f"low {self.low} must be below high {self.high}")

    def infer(self, *shapes: Shape) -> Shape:
        return shapes[0]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class BatchNorm(Op):
    """Inference-time batch normalisation over the first axis: y = gamma (x - mean) / sqrt(var + epsilon) + beta.

    (C1) the four arrays have one shape (channels,) and are finite.  (C2) var + epsilon > 0.
    (C3) the first axis of the input has that many channels.
    """

    gamma: Array
    beta: Array
    mean: Array
    var: Array
    epsilon: float = 1e-5

    def check(self) -> None:
        arrays = (self.gamma, self.beta, self.mean, self.var)
        good = len({a.shape for a in arrays}) == 1 and self.gamma.ndim == 1 and all(finite(a) for a in arrays)
        require(
            good,
            "C1",
            f"gamma, beta, mean, var must share one shape (channels,) and be finite, found {[a.shape for a in arrays]}",
        )
        require((self.var + self.epsilon > 0).all(), "C2", "var + epsilon must be positive")

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        require(
            len(shape) >= 1 and shape[0] == self.gamma.shape[0],
            "C3",
            f"input {shape} does not have {self.gamma.shape[0]} channels",
        )
        return shape
