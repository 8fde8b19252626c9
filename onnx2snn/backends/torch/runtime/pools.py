"""Pools over sliding windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from onnx2snn.backends.torch.runtime.arithmetic import Number, cast
from onnx2snn.backends.torch.runtime.synapses import Synapse
from onnx2snn.backends.torch.runtime.windows import Shape, places


class Pool(Synapse):
    """Combines the entries of every window."""

    fill: float
    combine: Callable[[Tensor, Tensor], Tensor]

    def __init__(self, *, kernel: Shape, strides: Shape, pads: Shape, dilations: Shape, number: Number = None) -> None:
        super().__init__(number)
        self.kernel, self.strides, self.pads, self.dilations = kernel, strides, pads, dilations

    def current(self, x: Tensor) -> Tensor:
        views = places(cast(x, self.number), self.kernel, self.strides, self.pads, self.dilations, self.fill)
        return reduce(self.combine, (seen for _, seen in views))


class SumPool(Pool):
    """Sum over every window."""

    fill = 0.0
    combine = staticmethod(torch.add)


class MaxPool(Pool):
    """Maximum over every window; of a train, of its running sums, emitted as differences from tick to tick."""

    fill = -float("inf")
    combine = staticmethod(torch.maximum)

    def folded(self, values: Tensor) -> Tensor:
        pooled = super().folded(cast(values, self.number).cumsum(0))
        return pooled.diff(dim=0, prepend=torch.zeros_like(pooled[:1]))


class AveragePool(SumPool):
    """Mean over every window; `count_padding` says whether padding counts in the divisor."""

    def __init__(self, *, count_padding: bool = False, **window: Any) -> None:
        super().__init__(**window)
        self.count_padding = count_padding

    def current(self, x: Tensor) -> Tensor:
        counted = math.prod(self.kernel) if self.count_padding else super().current(torch.ones_like(x[:1, :1]))
        return super().current(x) / counted
