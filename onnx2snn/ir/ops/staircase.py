"""Quantisers of the trained network, the staircase they come down to, and the encoder of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from onnx2snn.ir.op import Array, Op, Shape, finite, fits, require

Rounding = Literal["half-even", "half-up"]
QuantiserRounding = Literal[
    "half-even", "half-up", "half-down", "half-away", "half-toward-zero", "floor", "ceil", "truncate", "away"
]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Quantise(Op):
    """Quantise and dequantise: y = scale (clip(round(x / scale) + zero_point, qmin, qmax) - zero_point).

    (C1) scale is positive and finite and broadcasts to the input.  (C2) qmin < qmax.
    (C3) the rounding is known.      Source of the form: ONNX QuantizeLinear, [Clip], DequantizeLinear; QONNX Quant.
    """

    scale: Array
    zero_point: int
    qmin: int
    qmax: int
    rounding: QuantiserRounding = "half-even"

    def check(self) -> None:
        check_scale(self.scale)
        require(self.qmin < self.qmax, "C2", f"qmin {self.qmin} must be below qmax {self.qmax}")
        known = QuantiserRounding.__args__  # type: ignore[attr-defined]
        require(self.rounding in known, "C3", f"one of {', '.join(known)} expected, found {self.rounding!r}")

    def infer(self, *shapes: Shape) -> Shape:
        return check_broadcast(self.scale, shapes[0])


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Staircase(Op):
    """The one form of every quantised activation: y = scale n, n = clip(round(x / scale), lo, hi).

    n is the count: the number of steps climbed, negative ones below zero.
    (C1) scale is positive and finite and broadcasts to the input.  (C2) lo <= 0 < hi.
    """

    scale: Array
    lo: int
    hi: int
    rounding: Rounding = "half-even"

    @property
    def levels(self) -> int:
        """Number of steps, hi - lo."""
        return self.hi - self.lo

    def check(self) -> None:
        check_scale(self.scale)
        require(self.lo <= 0 < self.hi, "C2", f"lo <= 0 < hi expected, found lo = {self.lo}, hi = {self.hi}")

    def infer(self, *shapes: Shape) -> Shape:
        return check_broadcast(self.scale, shapes[0])


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Steps(Op):
    """A staircase whose steps are its own: y = base + sum_k heights[k] [x >= breakpoints[k]].

    breakpoints: (K, *b), where b broadcasts to the features: one row of K for all, or one for each channel.
    heights: (K,), of either sign.
    (C1) breakpoints are finite, ascending along the first axis, and broadcast to the input.
    (C2) there is one height, finite and not zero, for each breakpoint.  (C3) base is finite.
    """

    breakpoints: Array
    heights: Array
    base: float = 0.0

    def check(self) -> None:
        good = self.breakpoints.ndim >= 1 and len(self.breakpoints) > 0 and finite(self.breakpoints)
        ascending = good and bool((self.breakpoints[1:] >= self.breakpoints[:-1]).all())
        require(ascending, "C1", "finite breakpoints in ascending order expected")
        fitting = self.heights.shape == self.breakpoints.shape[:1] and finite(self.heights)
        require(fitting and bool((self.heights != 0).all()), "C2", "one finite height for each breakpoint expected")
        require(np.isfinite(self.base), "C3", f"a finite base expected, found {self.base}")

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        row = self.breakpoints[0]
        require(fits(row, shape), "C1", f"breakpoints {row.shape} do not broadcast to {shape}")
        return shape


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Encoder(Op):
    """Turns real input into a constant current: y = value clip(round(x / scale), lo, hi), once per sample.

    `value` is what one count is worth downstream: the scale itself in a real-valued network, 1 in an integer one.
    (C1) scale is positive and finite and broadcasts to the input.  (C2) lo <= 0 < hi.  (C3) value likewise.
    """

    scale: Array
    lo: int
    hi: int
    rounding: Rounding = "half-even"
    value: Array

    def check(self) -> None:
        check_scale(self.scale)
        require(self.lo <= 0 < self.hi, "C2", f"lo <= 0 < hi expected, found lo = {self.lo}, hi = {self.hi}")
        check_scale(self.value, "C3", "value")

    def infer(self, *shapes: Shape) -> Shape:
        check_broadcast(self.value, shapes[0], "C3", "value")
        return check_broadcast(self.scale, shapes[0])


def check_scale(scale: Array, constraint: str = "C1", name: str = "scale") -> None:
    """A step size must be a positive number."""
    good = finite(scale) and bool((scale > 0).all())
    require(good, constraint, f"{name} must be positive and finite, found {scale.min() if scale.size else scale}")


def check_broadcast(array: Array, shape: Shape, constraint: str = "C1", name: str = "scale") -> Shape:
    """The array must broadcast to the features; returns their shape."""
    require(fits(array, shape), constraint, f"{name} {array.shape} does not broadcast to {shape}")
    return shape
