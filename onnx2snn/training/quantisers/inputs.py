"""The quantiser of a network's input."""

from __future__ import annotations

import torch
from torch import Tensor

from onnx2snn.errors import UsageError
from onnx2snn.training.quantisers.base import Quantiser, to_codes


class InputQuantiser(Quantiser):
    """Fixed-step unsigned quantiser of the network's input: y = scale * clip(R(x / scale), 0, hi).

    `hi` is 2^bits - 1 unless the data reach less far (digits with 17 grey levels: scale 1/16, hi 16).
    """

    scale: Tensor

    def __init__(self, scale: float, bits: int = 8, hi: int | None = None) -> None:
        largest = 2**bits - 1
        if not (1 <= bits <= 8 and scale > 0 and (hi is None or 0 < hi <= largest)):
            raise UsageError(f"input quantiser: scale > 0, 1..8 bits, hi in range; got {scale}, {bits}, {hi}")
        super().__init__()
        self.bits, self.lo, self.hi = bits, 0, largest if hi is None else hi
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))

    @property
    def step(self) -> Tensor:
        """The fixed step."""
        return self.scale

    def forward(self, x: Tensor) -> Tensor:
        return to_codes(x, self.step, self.lo, self.hi) * self.step

    def extra_repr(self) -> str:
        return f"bits={self.bits}, codes 0..{self.hi}"
