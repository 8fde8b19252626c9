"""In what numbers a layer computes.

`number` is the machine number in which a layer's whole numbers are exact (float32 below 2^24, float64 below 2^53,
else int64); None stands for real arithmetic, in the floating-point type of the layer's own arrays.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Number = torch.dtype | None


def keep(layer: nn.Module, name: str, array: Tensor | None, number: Number, train: bool = False) -> None:
    """Gives a layer an array: whole numbers in their integer type, real ones in float64, to train where asked."""
    if array is None or number is not None:
        layer.register_buffer(name, array)
    elif train:
        layer.register_parameter(name, nn.Parameter(array.to(torch.float64)))
    else:
        layer.register_buffer(name, array.to(torch.float64))


def cast(values: Tensor, number: Number, like: Tensor | None = None) -> Tensor:
    """`values` in `number`, or in the type of `like`; float64 where float32 would not keep its 24 bits."""
    if number is None:
        return values if like is None else values.to(like.dtype)
    if number == torch.float32 and not full_float32(values.device):
        return values.to(torch.float64)
    return values.to(number)


def full_float32(device: torch.device) -> bool:
    """Whether products of float32 are computed in full: nobody asked torch for TF32, bfloat16 or autocast."""
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return False
    backends = torch.backends
    if not hasattr(backends.cuda.matmul, "fp32_precision"):  # torch before 2.9
        return torch.get_float32_matmul_precision() == "highest"
    places = (backends.cuda.matmul, backends.mkldnn.matmul, backends.mkldnn.conv)  # type: ignore[attr-defined]
    return all(place.fp32_precision in ("none", "ieee") for place in places)


def shares(total: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """What arrives of `total` at the first of `steps` inject steps, and at each of the others.

    Real: total / steps. Of an integer type: the quotient cut toward zero, and at the first step what it leaves over.
    """
    if total.is_floating_point():
        return total / steps, total / steps
    share = torch.div(total, steps, rounding_mode="trunc")
    return total - share * (steps - 1), share
