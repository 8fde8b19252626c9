"""Layers that join several signals."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn

from onnx2snn.backends.torch.runtime.arithmetic import Number, cast
from onnx2snn.backends.torch.runtime.signals import Clock, Signal, spread


class Add(nn.Module):
    """Sum of signals of one shape."""

    def __init__(self, *, clock: Clock, number: Number = None) -> None:
        super().__init__()
        self.clock, self.number = clock, number

    def forward(self, *signals: Signal) -> Signal:
        values, still, first = aligned(signals, self.clock, self.number)
        return Signal(reduce(torch.add, values), still, first)


class Concat(nn.Module):
    """Signals side by side along `axis` of the features."""

    def __init__(self, *, axis: int = 0, clock: Clock, number: Number = None) -> None:
        super().__init__()
        self.axis, self.clock, self.number = axis, clock, number

    def forward(self, *signals: Signal) -> Signal:
        values, still, first = aligned(signals, self.clock, self.number)
        return Signal(torch.cat(values, dim=self.axis + (1 if still else 2)), still, first)


def aligned(signals: tuple[Signal, ...], clock: Clock, number: Number) -> tuple[list[Tensor], bool, int]:
    """The values of several signals, laid out over the same ticks where one of them moves.

    With them: whether none moves, and the first tick of those that do.
    """
    moving = [signal for signal in signals if not signal.still]
    if not moving:
        return [cast(signal.values, number) for signal in signals], True, 0
    first, stop = min(signal.first for signal in moving), max(signal.stop for signal in moving)
    if len(moving) < len(signals):
        first, stop = 0, max(stop, clock.steps)
    return [cast(spread(signal, clock, first, stop, number), number) for signal in signals], False, first
