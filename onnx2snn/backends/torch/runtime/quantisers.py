"""Quantisers in the real-valued tail behind the readouts."""

from __future__ import annotations

import torch
from torch import Tensor

from onnx2snn.backends.torch.runtime.arithmetic import keep
from onnx2snn.backends.torch.runtime.rounding import ROUNDINGS
from onnx2snn.backends.torch.runtime.synapses import Synapse


class Quantise(Synapse):
    """y = scale (clip(round(x / scale) + zero_point, qmin, qmax) - zero_point)."""

    scale: Tensor

    def __init__(self, *, scale: Tensor, zero_point: int, qmin: int, qmax: int, rounding: str = "half-even") -> None:
        super().__init__()
        self.low, self.high, self.rounding = qmin - zero_point, qmax - zero_point, rounding
        keep(self, "scale", scale, None)

    def current(self, x: Tensor) -> Tensor:
        return self.scale * ROUNDINGS[self.rounding](x / self.scale).clamp(self.low, self.high)


class Steps(Synapse):
    """y = base + sum_k heights[k] [x >= breakpoints[k]]."""

    breakpoints: Tensor
    heights: Tensor

    def __init__(self, *, breakpoints: Tensor, heights: Tensor, base: float = 0.0) -> None:
        super().__init__()
        self.base = base
        keep(self, "breakpoints", breakpoints, None)
        keep(self, "heights", heights, None)

    def current(self, x: Tensor) -> Tensor:
        y = torch.full_like(x, self.base)
        for breakpoint, height in zip(self.breakpoints, self.heights, strict=True):
            y = y + height * (x >= breakpoint)
        return y
