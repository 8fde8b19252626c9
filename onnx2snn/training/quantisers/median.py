"""Median quantisation k/B ("A Novel Conversion Method for SNN using Median Quantization", ISCAS 2020).

Activations have the levels 0, 2^-k, 2 * 2^-k ... B and turn half-way between two of them; weights are ternary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onnx2snn.errors import UsageError
from onnx2snn.training.quantisers.base import ActivationQuantiser, WeightQuantiser, straight_through, to_codes

DELTA = 0.7
"""The share of mean |w| below which a weight is zero (Li & Liu, "Ternary Weight Networks", arXiv:1605.04711)."""


class MedianActivation(ActivationQuantiser):
    """y = floor(clip(x, 0, B) 2^k + 1/2) / 2^k: 2^k B levels, nothing to learn. dy/dx = 1 where 0 < x < B, else 0.

    The authors add 1e-5 before rounding half to even, so that ties go up; here they do exactly.
    """

    scale: Tensor

    def __init__(self, k: int, bound: int) -> None:
        hi = 2**k * bound
        if not (0 <= k <= 8 and 1 <= hi <= 255):
            raise UsageError(
                f"median quantiser: k >= 0, B >= 1, at most 255 levels expected, found k = {k}, B = {bound}"
            )
        super().__init__()
        self.hi, self.rounding = hi, "half-up"
        self.register_buffer("scale", torch.tensor(2.0**-k), persistent=False)

    @property
    def step(self) -> Tensor:
        """2^-k."""
        return self.scale

    def forward(self, x: Tensor) -> Tensor:
        return to_codes(x, self.step, 0, self.hi, self.rounding) * self.step


class TernaryWeight(WeightQuantiser):
    """y = -1, 0 or 1: the sign of w where |w| > 0.7 mean|w|. The batch normalisation behind it learns the scale.

    dy/dw = 1.
    """

    lo, hi = -1, 1
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(1.0), persistent=False)

    @property
    def step(self) -> Tensor:
        """1."""
        return self.scale

    def forward(self, weight: Tensor) -> Tensor:
        return straight_through(weight, self._ternary(weight))

    def codes(self, weight: Tensor) -> Tensor:
        """-1, 0 and 1 as int8, shaped like `weight`."""
        return self._ternary(weight).to(torch.int8)

    @staticmethod
    def _ternary(weight: Tensor) -> Tensor:
        return torch.where(weight.abs() > DELTA * weight.abs().mean(), weight.sign(), 0.0)
