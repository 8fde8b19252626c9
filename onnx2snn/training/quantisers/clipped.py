"""Activations with a learned clip, which several methods share."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from onnx2snn.errors import UsageError
from onnx2snn.training.quantisers.base import ActivationQuantiser, Rounding, positive, to_codes, with_gradients


class ClippedActivation(ActivationQuantiser):
    """y = step * clip(R(x / step), 0, hi) with step = clip / hi and one learned clip.

    dy/dx = 1 where 0 < x <= clip, else 0;  dy/dclip = 1 where x > clip, else (y - x) / clip within the range (the
    straight-through gradient of rounding), 0 below it.
    """

    carries: ClassVar[bool] = True

    def __init__(self, hi: int, start: float, rounding: Rounding = "half-even") -> None:
        if not (1 <= hi <= 255 and start > 0):
            raise UsageError(f"activation quantiser: 1 to 255 levels and a positive clip expected, found {hi}, {start}")
        super().__init__()
        self.hi, self.rounding = hi, rounding
        self.clip = nn.Parameter(torch.tensor(float(start)))

    @property
    def step(self) -> Tensor:
        """clip / hi."""
        return positive(self.clip) / self.hi

    def forward(self, x: Tensor) -> Tensor:
        clip = positive(self.clip)
        value = to_codes(x.detach(), self.step, 0, self.hi, self.rounding) * self.step
        inside = (x > 0) & (x <= clip)
        return with_gradients(value, x, inside.to(x.dtype), clip, self._to_clip(x / clip, value / clip))

    def _to_clip(self, u: Tensor, q: Tensor) -> Tensor:
        """dy/dclip for u = x / clip and q = y / clip."""
        return torch.where(u > 1, 1.0, torch.where(u > 0, q - u, 0.0))
