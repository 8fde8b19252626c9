"""PACT (Choi et al., "PACT: Parameterized Clipping Activation", arXiv:1805.06085)."""

from __future__ import annotations

import torch
from torch import Tensor

from onnx2snn.training.quantisers.base import check_bits
from onnx2snn.training.quantisers.clipped import ClippedActivation


class PactActivation(ClippedActivation):
    """y = step * R(clip(x, 0, alpha) / step), step = alpha / (2^bits - 1); alpha is learned, with weight decay.

    dy/dx = 1 where 0 < x <= alpha;  dy/dalpha = 1 where x > alpha, else 0: rounding adds nothing, unlike LSQ.
    """

    def __init__(self, bits: int, start: float = 8.0) -> None:
        check_bits(bits, 1)
        super().__init__(2**bits - 1, start)

    def _to_clip(self, u: Tensor, q: Tensor) -> Tensor:
        return (u > 1).to(torch.float32)
