"""Rounding to whole numbers in every mode that quantisers have."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def half_up(x: Tensor) -> Tensor:
    """Nearest whole number, halves upward; exact where x + 1/2 would round."""
    low = torch.floor(x)
    return low + (x - low >= 0.5)


def half_down(x: Tensor) -> Tensor:
    """Nearest whole number, halves downward."""
    return -half_up(-x)


ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "half-even": torch.round,
    "half-up": half_up,
    "half-down": half_down,
    "half-away": lambda x: torch.sign(x) * half_up(torch.abs(x)),
    "half-toward-zero": lambda x: torch.sign(x) * half_down(torch.abs(x)),
    "floor": torch.floor,
    "ceil": torch.ceil,
    "truncate": torch.trunc,
    "away": lambda x: torch.sign(x) * torch.ceil(torch.abs(x)),
}
