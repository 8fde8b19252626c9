"""Elementwise functions of the trained network that are not linear.

They turn into staircases where a quantiser or their own rounding makes steps of them; behind the readout they stay
as they are, in real arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from onnx2snn.ir.op import Array, Op, Shape, finite, fits, require

Function = Literal[
    "abs",
    "celu",
    "ceil",
    "elu",
    "erf",
    "exp",
    "floor",
    "gelu",
    "gelu-tanh",
    "hard-sigmoid",
    "hard-swish",
    "log",
    "mish",
    "nonnegative",
    "positive",
    "power",
    "reciprocal",
    "round",
    "selu",
    "sigmoid",
    "sign",
    "softplus",
    "softsign",
    "sqrt",
    "tanh",
    "thresholded-relu",
    "truncate",
]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Unary(Op):
    """y = function(x), entry by entry, named and defined as in ONNX; `alpha` and `beta` where it has parameters.

    power: x^alpha.  positive: 1 where x > 0, else 0.  nonnegative: 1 where x >= 0, else 0.  round: half to even.
    truncate: toward zero.  elu: scale beta is 1.  (C1) the function is known.
    """

    function: Function
    alpha: float = 0.0
    beta: float = 0.0

    def check(self) -> None:
        known = Function.__args__  # type: ignore[attr-defined]
        require(self.function in known, "C1", f"one of {', '.join(known)} expected, found {self.function!r}")

    def infer(self, *shapes: Shape) -> Shape:
        return shapes[0]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class LeakyRelu(Op):
    """y = x where x >= 0, else slope x.  (C1) slope is finite and broadcasts to the input."""

    slope: Array

    def check(self) -> None:
        require(finite(self.slope), "C1", "slope must be finite")

    def infer(self, *shapes: Shape) -> Shape:
        require(fits(self.slope, shapes[0]), "C1", f"slope {self.slope.shape} does not broadcast to {shapes[0]}")
        return shapes[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class Combination(Op):
    """What the elementwise ops of two inputs share.  (C1) both inputs have one shape."""

    arity = 2

    def infer(self, *shapes: Shape) -> Shape:
        require(shapes[0] == shapes[1], "C1", f"two inputs of one shape expected, found {shapes}")
        return shapes[0]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Multiply(Combination):
    """y = a b, entry by entry."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Minimum(Combination):
    """y = min(a, b), entry by entry."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Maximum(Combination):
    """y = max(a, b), entry by entry."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Op):
    """y = exp(x) / sum exp(x) along one axis of the features; its logarithm where `log`.

    (C1) axis is one of the input's.
    """

    axis: int
    log: bool = False

    def infer(self, *shapes: Shape) -> Shape:
        require(0 <= self.axis < len(shapes[0]), "C1", f"axis {self.axis} is not in {shapes[0]}")
        return shapes[0]
