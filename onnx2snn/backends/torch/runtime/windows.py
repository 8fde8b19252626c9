"""Sliding windows: every window layer is a sum, or a maximum, over the places of its kernel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch.nn.functional as F
from torch import Tensor

Shape = tuple[int, ...]


def padded(x: Tensor, pads: Shape, fill: float) -> Tensor:
    """`x` (batch, channels, *size) with `pads` (begins, then ends) around its spatial axes."""
    rank = len(pads) // 2
    pairs = [pads[axis + end * rank] for axis in reversed(range(rank)) for end in (0, 1)]
    return F.pad(x, pairs, value=fill) if any(pads) else x


def places(
    x: Tensor, kernel: Shape, strides: Shape, pads: Shape, dilations: Shape, fill: float = 0.0
) -> Iterator[tuple[Shape, Tensor]]:
    """For each place of the kernel, the view of `x` (batch, channels, *size) that it meets at every output."""
    x = padded(x, pads, fill)
    extents = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    for place in product(*(range(k) for k in kernel)):
        starts = [p * d for p, d in zip(place, dilations, strict=True)]
        ends = [size - extent + start for size, extent, start in zip(x.shape[2:], extents, starts, strict=True)]
        cut = [slice(a, b, s) for a, b, s in zip(starts, ends, strides, strict=True)]
        yield place, x[(slice(None), slice(None), *cut)]
