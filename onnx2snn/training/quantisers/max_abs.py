"""Symmetric weights up to max |w|, nothing learned: first and last layers, and the weights of STBP training."""

from __future__ import annotations

import torch
from torch import Tensor

from onnx2snn.training.quantisers.base import SMALLEST_STEP, WeightQuantiser, check_bits, straight_through


class MaxAbsWeight(WeightQuantiser):
    """y = s * R(w / s) with s = max|w| / (2^(bits-1) - 1), over the tensor or each output channel. dy/dw = 1.

    Fast-SNN's code takes max w here, which leaves negative weights outside of the range; max |w| is meant.
    """

    def __init__(self, bits: int = 8, per_channel: bool = False) -> None:
        check_bits(bits)
        super().__init__()
        self.bits, self.per_channel = bits, per_channel
        self.hi = 2 ** (bits - 1) - 1
        self.lo = -self.hi

    def forward(self, weight: Tensor) -> Tensor:
        return straight_through(weight, self.quantised(weight))

    def codes(self, weight: Tensor) -> Tensor:
        """The whole weights n as int8, shaped like `weight`."""
        return (weight.detach() / self._steps(weight)).round().clamp(self.lo, self.hi).to(torch.int8)

    def step_of(self, weight: Tensor) -> Tensor:
        """s, a scalar or one a channel."""
        magnitude = weight.detach().abs()
        largest = magnitude.flatten(1).amax(1) if self.per_channel else magnitude.amax()
        return (largest / self.hi).clamp_min(SMALLEST_STEP)
