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
    moving: one current a tick, (ticks, batch, *features); nothing arrives after the last.
    """

    values: Tensor
    still: bool


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


def spread(signal: Signal, clock: Clock, ticks: int, number: Number) -> Tensor:
    """A signal over `ticks` ticks: constant charge in its shares, trains filled up with silence."""
    values = signal.values
    if not signal.still:
        silence = values.new_zeros((ticks - len(values), *values.shape[1:]))
        return torch.cat([values, silence]) if len(silence) else values
    first, other = shares(values if number is None else values.to(torch.int64), clock.steps)
    parts = [first] + [other] * (clock.steps - 1) + [torch.zeros_like(first)] * (ticks - clock.steps)
    return torch.stack(parts[:ticks])
