"""What travels between layers, and the clock that a network runs by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from onnx2snn.backends.torch.runtime.arithmetic import Number, shares


class Signal(NamedTuple):
    """A current between two layers.

    still: `values` is the total charge (batch, *features) of a constant current.
    moving: one current a tick, (ticks, batch, *features), from tick `first` on; nothing arrives before and after.
    """

    values: Tensor
    still: bool
    first: int = 0

    @property
    def stop(self) -> int:
        """The tick from which on a moving signal is silent."""
        return self.first + len(self.values)


@dataclass(frozen=True)
class Clock:
    """`steps` inject steps, then `settle` more; None: until every neuron is silent, which `bound` steps suffice for."""

    steps: int
    settle: int | None
    bound: int

    @property
    def most(self) -> int:
        """The most ticks that a run can take."""
        return self.steps + (self.bound if self.settle is None else self.settle)


def still(x: Tensor) -> Signal:
    """The input of a network: constant over time."""
    return Signal(x.to(torch.float64), still=True)


def spread(signal: Signal, clock: Clock, first: int, stop: int, number: Number) -> Tensor:
    """A signal over the ticks `first` to `stop`: constant charge in its shares, trains filled up with silence."""
    values = signal.values
    if not signal.still:
        before, after = signal.first - first, stop - signal.stop
        silence = [values.new_zeros((ticks, *values.shape[1:])) for ticks in (before, after)]
        return torch.cat([silence[0], values, silence[1]]) if before or after else values
    share = shares(values if number is None else values.to(torch.int64), clock.steps)
    parts = [share[min(tick, 1)] if tick < clock.steps else torch.zeros_like(share[0]) for tick in range(first, stop)]
    return torch.stack(parts)
