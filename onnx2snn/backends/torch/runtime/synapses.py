"""Linear layers and pools, from signals to signals; all ticks are computed at once, folded into the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from onnx2snn.backends.torch.runtime.arithmetic import Number, cast, keep
from onnx2snn.backends.torch.runtime.signals import Clock, Signal, spread

Shape = tuple[int, ...]


class Synapse(nn.Module):
    """Applies `current` to a total charge as it is, and to a spike train tick by tick."""

    weight: Tensor
    scale: Tensor | None
    bias: Tensor | None
    shift: Tensor | None

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
        return Signal(values, signal.still)


class Conv(Synapse):
    """y[o] = scale[o] * sum_i weight[o, i] * x[i] + bias[o], over windows."""

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

    def __init__(self, *, scale: Tensor | None = None, shift: Tensor | None = None, number: Number = None) -> None:
        super().__init__(number)
        keep(self, "scale", scale, number, train=True)
        keep(self, "shift", shift, number, train=True)

    def current(self, x: Tensor) -> Tensor:
        x = cast(x, self.number, like=self.shift if self.scale is None else self.scale)
        y = x if self.scale is None else x * self.scale.to(x.dtype)
        return y if self.shift is None else y + self.shift.to(x.dtype)


class Reshape(Synapse):
    """The same numbers in row-major order under another shape."""

    def __init__(self, *, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def current(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)


class Add(nn.Module):
    """Sum of signals of one shape."""

    def __init__(self, *, clock: Clock, number: Number = None) -> None:
        super().__init__()
        self.clock, self.number = clock, number

    def forward(self, *signals: Signal) -> Signal:
        values, still = aligned(signals, self.clock, self.number)
        return Signal(reduce(torch.add, values), still)


class Concat(nn.Module):
    """Signals side by side along `axis` of the features."""

    def __init__(self, *, axis: int = 0, clock: Clock, number: Number = None) -> None:
        super().__init__()
        self.axis, self.clock, self.number = axis, clock, number

    def forward(self, *signals: Signal) -> Signal:
        values, still = aligned(signals, self.clock, self.number)
        return Signal(torch.cat(values, dim=self.axis + (1 if still else 2)), still)


def aligned(signals: tuple[Signal, ...], clock: Clock, number: Number) -> tuple[list[Tensor], bool]:
    """The values of several signals, laid out over the same ticks where one of them moves, and whether none does."""
    moving = [len(signal.values) for signal in signals if not signal.still]
    if not moving:
        return [cast(signal.values, number) for signal in signals], True
    return [cast(spread(signal, clock, max(moving), number), number) for signal in signals], False


class Pool(Synapse):
    """Combines the entries of every window."""

    fill: float
    combine: Callable[[Tensor, Tensor], Tensor]

    def __init__(self, *, kernel: Shape, strides: Shape, pads: Shape, dilations: Shape, number: Number = None) -> None:
        super().__init__(number)
        self.kernel, self.strides, self.pads, self.dilations = kernel, strides, pads, dilations

    def current(self, x: Tensor) -> Tensor:
        views = places(cast(x, self.number), self.kernel, self.strides, self.pads, self.dilations, self.fill)
        return reduce(self.combine, (seen for _, seen in views))


class SumPool(Pool):
    """Sum over every window."""

    fill = 0.0
    combine = staticmethod(torch.add)


class MaxPool(Pool):
    """Maximum over every window; of a train, of its running sums, emitted as differences from tick to tick."""

    fill = -float("inf")
    combine = staticmethod(torch.maximum)

    def folded(self, values: Tensor) -> Tensor:
        pooled = super().folded(cast(values, self.number).cumsum(0))
        return pooled.diff(dim=0, prepend=torch.zeros_like(pooled[:1]))


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
