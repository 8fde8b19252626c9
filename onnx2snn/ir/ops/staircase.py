"""Quantisers of the trained network, the staircase they come down to, and the encoder of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from onnx2snn.ir.op import Array, Op, Shape, finite, fits, require

Rounding = Literal["half-even", "half-up"]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Quantise(Op):
    """Quantise and dequantise: y = scale (clip(round(x / scale) + zero_point, qmin, qmax) - zero_point).

    (C1) scale is positive and finite and broadcasts to the input.  (C2) qmin < qmax.
    (C3) zero_point lies in [qmin, qmax].      Source of the form: ONNX QuantizeLinear, [Clip], DequantizeLinear.
    """

    scale: Array
    zero_point: int
    qmin: int
    qmax: int
    rounding: Rounding = "half-even"

    def check(self) -> None:
        check_scale(self.scale)
        require(self.qmin < self.qmax, "C2", f"qmin {self.qmin} must be below qmax {self.qmax}")
        require(
            self.qmin <= self.zero_point <= self.qmax,
            "C3",
            f"zero point {self.zero_point} must lie in [{self.qmin}, {self.qmax}]",
        )

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
