"""Pooling ops over sliding windows of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from onnx2snn.ir.op import Op, Shape
from onnx2snn.ir.ops.spatial import check_window, window_output


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Op):
    """What the pooling ops share: a window over the spatial axes.  (W1-W5) the window fits."""

    kernel: Shape
    strides: Shape
    pads: Shape
    dilations: Shape

    def check(self) -> None:
        check_window(self.kernel, self.strides, self.pads, self.dilations)

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        return (*shape[:1], *window_output(shape[1:], self.kernel, self.strides, self.pads, self.dilations))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool(Pool):
    """y = max over the window; padding never wins.

    Over time it pools the running sums of its input and emits the difference to what it emitted before:
    y_t = max(x_1 + ... + x_t) - max(x_1 + ... + x_{t-1}), which adds up to the pool of the sums.
    """


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class AveragePool(Pool):
    """y = mean over the window; `count_padding` says whether padding counts in the divisor."""

    count_padding: bool = False


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SumPool(Pool):
    """y = sum over the window, zero padding: the spiking form of average pooling, all weights 1."""
