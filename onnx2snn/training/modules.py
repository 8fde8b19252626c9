"""Convolution and linear layer whose weights pass a learned-step quantiser; everything else is torch's."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from onnx2snn.training.quantisers import LearnedStepWeight


class QuantConv2d(nn.Conv2d):
    """`nn.Conv2d` with w replaced by s[c] * n, n whole, |n| <= 2^(bits-1) - 1; the bias stays real."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        groups: int = 1,
        bias: bool = True,
        bits: int = 4,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding, groups=groups, bias=bias
        )
        self.quantiser = LearnedStepWeight(bits, out_channels)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.quantiser(self.weight), self.bias)


class QuantLinear(nn.Linear):
    """`nn.Linear` with w replaced by s[c] * n, n whole, |n| <= 2^(bits-1) - 1; the bias stays real."""

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True, bits: int = 4) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.quantiser = LearnedStepWeight(bits, out_features)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.quantiser(self.weight), self.bias)
