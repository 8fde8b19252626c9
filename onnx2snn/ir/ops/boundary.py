"""Where a network begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from onnx2snn.ir.op import Array, Op, Shape, finite, fits, require


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Input(Op):
    """The input of the network, one sample of `shape` (the batch axis is not written).  (C1) all sizes >= 1."""

    arity = 0
    shape: Shape

    def check(self) -> None:
        require(all(n >= 1 for n in self.shape), "C1", f"sizes must be at least 1, found {self.shape}")

    def infer(self, *shapes: Shape) -> Shape:
        return self.shape


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Readout(Op):
    """Output of a spiking network: accumulates current, never fires: y = scale * (x_1 + ... + x_t) + bias.

    `scale` is the value of one unit of current, so that y is in the units of the trained network.
    (C1) scale and bias are finite and broadcast to the input.
    """

    scale: Array
    bias: Array

    def check(self) -> None:
        require(finite(self.scale) and finite(self.bias), "C1", "scale and bias must be finite")

    def infer(self, *shapes: Shape) -> Shape:
        for name, array in (("scale", self.scale), ("bias", self.bias)):
            require(fits(array, shapes[0]), "C1", f"{name} {array.shape} does not broadcast to {shapes[0]}")
        return shapes[0]
