"""Rate Norm Layer and what its rates tell (Ding et al., "Optimal ANN-SNN Conversion", IJCAI 2021, arXiv:2105.11654)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from onnx2snn.training.quantisers.base import max_over_ranks

EPSILON = 1e-6
MOMENTUM = 0.1


class RateNorm(nn.Module):
    """r = clip(relu(x) / theta, 0, 1) with theta = p M: the rate of an IF neuron of threshold theta, in the limit.

    M follows the largest relu(x) of each training batch (momentum 0.1, starts at the first batch's) until `locked`;
    no gradient goes through it. p = sigmoid(scale) is trained in the second stage; scale may be shared by all layers.
    The next layer's weights act on rates, so no weight normalisation follows.
    """

    maximum: Tensor
    started: Tensor

    def __init__(self, scale: nn.Parameter | None = None) -> None:
        super().__init__()
        self.scale = scale if scale is not None else nn.Parameter(torch.tensor(10.0))
        self.locked = False
        self.register_buffer("maximum", torch.tensor(1.0))
        self.register_buffer("started", torch.tensor(False))

    @property
    def theta(self) -> Tensor:
        """The threshold p M + 1e-6."""
        return torch.sigmoid(self.scale) * self.maximum + EPSILON

    @property
    def ready(self) -> bool:
        """A first batch sets the maximum."""
        return bool(self.started)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.locked:
            self._track(x.detach())
        return (x.relu() / self.theta).clamp(max=1.0)

    @torch.no_grad()
    def _track(self, x: Tensor) -> None:
        largest = max_over_ranks(x.max().clamp_min(0))
        step = MOMENTUM if self.started else 1.0
        self.maximum.lerp_(largest, step)
        self.started.fill_(True)


def omega(rates: Tensor) -> Tensor:
    """Omega = ||r||_1 / ||r||_2^2 over all entries: the smaller, the faster rates are reached.

    The mean square of what is missing after t steps is less than 2 Omega / t of the rates' (arXiv:2105.11654).
    """
    return rates.sum() / (rates.square().sum() + 1e-5)
