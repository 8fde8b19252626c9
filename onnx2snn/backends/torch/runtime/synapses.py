"""Linear layers, from signals to signals; all ticks are computed at once, folded into the batch."""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from onnx2snn.backends.torch.runtime.arithmetic import Number, cast, keep
from onnx2snn.backends.torch.runtime.signals import Signal
from onnx2snn.backends.torch.runtime.windows import Shape, padded, places


class Synapse(nn.Module):
    """Applies `current` to a total charge as it is, and to a spike train tick by tick."""

    def __init__(self, number: Number = None) -> None:
        super().__init__()
        self.number = number

    def current(self, x: Tensor) -> Tensor:
        """The layer's equation on (batch, *features)."""
        raise NotImplementedError

    def folded(self, values: Tensor) -> Tensor:
        """`current` on (ticks, batch, *features)."""
        return self.current(values.flatten(0, 1)).unflatten(0, values.shape[:2])

    def forward(self, signal: Signal) -> Signal:
        values = self.current(signal.values) if signal.still else self.folded(signal.values)
        return Signal(values, signal.still, signal.first)


class Conv(Synapse):
    """y[o] = scale[o] * sum_i weight[o, i] * x[i] + bias[o], over windows."""

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        *,
        weight: Tensor,
        scale: Tensor | None = None,
        bias: Tensor | None = None,
        strides: Shape,
        pads: Shape,
        dilations: Shape,
        groups: int = 1,
        number: Number = None,
    ) -> None:
        super().__init__(number)
        keep(self, "weight", weight if scale is None else in_units(weight, scale), number, train=True)
        keep(self, "bias", bias, number, train=True)
        self.strides, self.pads, self.dilations, self.groups = strides, pads, dilations, groups

    def current(self, x: Tensor) -> Tensor:
        x = cast(x, self.number, like=self.weight)
        y = self.sums(x, self.weight.to(x.dtype))
        return y if self.bias is None else y + self.bias.to(x.dtype).reshape(-1, *(1,) * len(self.strides))

    def sums(self, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution. Libraries for other devices may use transforms that are not exact in whole numbers."""
        rank = len(self.strides)
        if rank > 3 or (self.number is not None and x.device.type != "cpu"):
            return self.sums_by_place(x, weight)
        convolve = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
        begins, ends = self.pads[:rank], self.pads[rank:]
        if begins != ends:
            x, begins = padded(x, self.pads, 0), (0,) * rank
        return convolve(x, weight, None, self.strides, begins, self.dilations, self.groups)

    def sums_by_place(self, x: Tensor, weight: Tensor) -> Tensor:
        """The same as a sum of plain matrix products, one for each place of the kernel."""
        grouped = weight.unflatten(0, (self.groups, -1))
        views = places(x, weight.shape[2:], self.strides, self.pads, self.dilations)
        terms = (
            torch.einsum("goi,ngi...->ngo...", grouped[(..., *place)], seen.unflatten(1, (self.groups, -1)))
            for place, seen in views
        )
        return reduce(torch.add, terms).flatten(1, 2)


def in_units(weight: Tensor, scale: Tensor) -> Tensor:
    """Whole weights times the scale of their output channel: real weights, as training needs them."""
    return weight.to(torch.float64) * scale.to(torch.float64).reshape(-1, *(1,) * (weight.dim() - 1))


class Dense(Synapse):
    """y[o] = scale[o] * sum_i weight[o, i] * x[i] + bias[o], over the last axis."""

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self, *, weight: Tensor, scale: Tensor | None = None, bias: Tensor | None = None, number: Number = None
    ) -> None:
        super().__init__(number)
        keep(self, "weight", weight if scale is None else in_units(weight, scale), number, train=True)
        keep(self, "bias", bias, number, train=True)

    def current(self, x: Tensor) -> Tensor:
        x = cast(x, self.number, like=self.weight)
        y = F.linear(x, self.weight.to(x.dtype))
        return y if self.bias is None else y + self.bias.to(x.dtype)


class Affine(Synapse):
    """y = scale * x + shift, elementwise."""

    scale: Tensor | None
    shift: Tensor | None

    def __init__(self, *, scale: Tensor | None = None, shift: Tensor | None = None, number: Number = None) -> None:
        super().__init__(number)
        keep(self, "scale", scale, number, train=True)
        keep(self, "shift", shift, number, train=True)

    def current(self, x: Tensor) -> Tensor:
        x = cast(x, self.number, like=self.shift if self.scale is None else self.scale)
        y = x if self.scale is None else x * self.scale.to(x.dtype)
        return y if self.shift is None else y + self.shift.to(x.dtype)
