"""The arrays that are tuned: real numbers behind the ones that the network holds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from onnx2snn.ir import Array


class Latent:
    """An array as real numbers in units of `span`, so that one learning rate suits all layers.

    stored = span * free; in a whole-number array rounded to the nearest multiple of `grid`, the gradient passing
    straight through, and kept within +-`limit`. Whole arrays start in the middle of their cells.
    """

    def __init__(self, array: Array, span: Array | float, limit: int | None, grid: int, device: torch.device) -> None:
        self.dtype, self.whole, self.limit, self.grid = array.dtype, array.dtype.kind == "i", limit, grid
        self.span = real(np.asarray(span), device)
        self.free = nn.Parameter(real(array, device) / self.span)

    def stored(self) -> Tensor:
        """What the network holds, float64, with the gradient of the numbers behind it."""
        values = self.free * self.span
        return values + (self.nearest(values) - values).detach() if self.whole else values

    def nearest(self, values: Tensor) -> Tensor:
        """The multiple of the grid that is nearest, within the limit."""
        steps = torch.round(values / self.grid)
        if self.limit is not None:
            most = self.limit // self.grid
            steps = steps.clamp(-most, most)
        return steps * self.grid

    def array(self) -> Array:
        """What the network holds, in its own number type."""
        values = (self.free * self.span).detach()
        return (self.nearest(values) if self.whole else values).cpu().numpy().astype(self.dtype)

    def confine(self) -> None:
        """Takes the real numbers back to the range that can be stored, as an optimiser may have left it."""
        if self.limit is not None:
            with torch.no_grad():
                most = self.limit / self.span
                self.free.clamp_(-most, most)


def real(array: Array, device: torch.device) -> Tensor:
    """A copy of an array as float64."""
    return torch.from_numpy(np.array(array, np.float64)).to(device)


def of_weight(weight: Array, device: torch.device) -> Latent:
    """A weight: whole ones stay within the bits that they have, and multiples of what all of them are multiples of.

    (A chip may take even weights alone.)
    """
    most = float(np.abs(weight).max(initial=0)) or 1.0
    if weight.dtype.kind != "i":
        return Latent(weight, most, None, 1, device)
    grid = int(np.gcd.reduce(weight.astype(np.int64), axis=None)) or 1
    bits = (int(most) // grid).bit_length()
    return Latent(weight, most, grid * ((1 << bits) - 1), grid, device)


def of_bias(bias: Array, theta: Array, device: torch.device) -> Latent:
    """A bias in units of the threshold, so that 1 is one count; one for each threshold at least."""
    full = np.broadcast_to(bias, np.broadcast_shapes(bias.shape, theta.shape))
    return Latent(full, theta, None, 1, device)
