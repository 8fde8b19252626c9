"""Where the spiking part of a network begins and ends."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from onnx2snn.backends.torch.runtime.arithmetic import Number, cast, keep
from onnx2snn.backends.torch.runtime.rounding import ROUNDINGS
from onnx2snn.backends.torch.runtime.signals import Signal


class Encoder(nn.Module):
    """y = value * clip(round(x / scale), lo, hi), constant over time."""

    scale: Tensor
    value: Tensor

    def __init__(
        self,
        *,
        scale: Tensor,
        value: Tensor,
        lo: int,
        hi: int,
        rounding: Literal["half-even", "half-up"] = "half-even",
        number: Number = None,
    ) -> None:
        super().__init__()
        self.lo, self.hi, self.rounding, self.number = lo, hi, rounding, number
        keep(self, "scale", scale, None)
        keep(self, "value", value, number)

    def forward(self, signal: Signal) -> Signal:
        steps = cast(signal.values, None, like=self.scale) / self.scale
        counts = ROUNDINGS[self.rounding](steps)
        return Signal(cast(counts.clamp(self.lo, self.hi), self.number) * self.value, still=True)


class Readout(nn.Module):
    """y = scale * (x_1 + ... + x_t) + bias: accumulates, never fires."""

    scale: Tensor
    bias: Tensor

    def __init__(self, *, scale: Tensor, bias: Tensor) -> None:
        super().__init__()
        keep(self, "scale", scale, None)
        keep(self, "bias", bias, None, train=True)

    def forward(self, signal: Signal) -> Signal:
        total = signal.values if signal.still else signal.values.sum(0, dtype=self.scale.dtype)
        return Signal(self.scale * total + self.bias, still=True)
