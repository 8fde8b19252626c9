"""Layers of the networks that are trained here; everything else is torch's."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from onnx2snn.training.quantisers.base import WeightQuantiser

Size = int | tuple[int, int]


class QuantConv2d(nn.Conv2d):
    """`nn.Conv2d` whose weight passes a quantiser, or stays real where that is None; the bias stays real."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        quantiser: WeightQuantiser | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self.quantiser = quantiser

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight if self.quantiser is None else self.quantiser(self.weight)
        return self._conv_forward(input, weight, self.bias)


class QuantLinear(nn.Linear):
    """`nn.Linear` whose weight passes a quantiser, or stays real where that is None; the bias stays real."""

    def __init__(
        self, in_features: int, out_features: int, *, bias: bool = True, quantiser: WeightQuantiser | None = None
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.quantiser = quantiser

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight if self.quantiser is None else self.quantiser(self.weight)
        return functional.linear(input, weight, self.bias)


class Residual(nn.Module):
    """y = body(x) + shortcut(x); the shortcut is x itself where there is none."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential | None = None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


class PreActivated(nn.Module):
    """A residual block whose activation comes first: a = head(x); y = body(a) + shortcut(a), or + x without one.

    He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.
    """

    def __init__(self, head: nn.Sequential, body: nn.Sequential, shortcut: nn.Sequential | None = None) -> None:
        super().__init__()
        self.head, self.body, self.shortcut = head, body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        a = self.head(x)
        return self.body(a) + (x if self.shortcut is None else self.shortcut(a))
