"""The staircase that a population climbs, as a layer: what its counts would be if all charge were there at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from onnx2snn.backends.torch.runtime import Neuron as NeuronLayer
from onnx2snn.backends.torch.runtime import Signal
from onnx2snn.ir.ops import Neuron

Counts = tuple[int, int]  #: least and greatest count


class Stairs(nn.Module):
    """n = clip(floor((v0 + charge) / theta), lo, hi), where charge is all that arrives, bias and shift included.

    A tie goes upward, or to the even count where the neuron's tracer has that rule. Whole numbers stay exact.
    Where the model's staircase has more levels L than a neuron without upper bound has steps T, a spike stands for
    L / T of them (pass map-neurons): the model's own counts are then k = clip(floor((v0' + charge) / theta'), lo, hi)
    with theta' = theta T / L and v0' - theta' / 2 = v0 - theta / 2, and n = k T / L.
    After a run: counts, the n of every neuron.
    """

    counts: Tensor

    def __init__(self, layer: NeuronLayer, op: Neuron, model: Counts | None, steps: int) -> None:
        super().__init__()
        self.layer = layer
        self.even = op.exact and op.ties == "even"
        (self.low, self.high), self.levels = ranges(op, model, steps), steps
        if model is not None and op.range[1] is None and model[1] > steps:
            (self.low, self.high), self.levels = model, model[1]
        self.steps = steps

    def forward(self, signal: Signal) -> Signal:
        layer, steps, levels = self.layer, self.steps, self.levels
        if layer.number is None:
            total = signal.values.to(layer.theta.dtype) + layer.bias + layer.v0
        else:
            total = (signal.values.to(torch.int64) << layer.shift) + layer.bias + layer.v0
        theta = layer.theta
        if levels != steps:  # (v0' + charge) / theta', numerator and denominator times 2 L
            total, theta = 2 * levels * total + (steps - levels) * theta, 2 * steps * theta
        n = torch.div(total, theta, rounding_mode="floor")
        if self.even:
            n = n - ((n * theta == total) & (n % 2 == 1)).to(n.dtype)
        n = n.clamp(self.low, self.high)
        self.counts = n if levels == steps else n.to(torch.float64) * steps / levels
        return Signal(self.counts * layer.value, still=True)


def ranges(op: Neuron, model: Counts | None, steps: int) -> Counts:
    """The counts that a neuron's staircase has: no more than there are steps, nor than the model's has."""
    low, high = op.range
    most = steps if high is None else high
    return low, most if model is None else min(most, model[1])


def ramp(charge: Tensor, start: Tensor, theta: Tensor, counts: Counts) -> Tensor:
    """The staircase with rounding left out: its gradient is the one that training goes by.

    start: v0 and bias.  d/dcharge = 1 / theta between the ends of the staircase, 0 beyond: the straight-through
    estimator of a clipped rounding (Bengio et al., arXiv 1308.3432).
    """
    return ((charge + start) / theta - 0.5).clamp(*counts)


def substitute(value: Tensor, gradient: Tensor) -> Tensor:
    """`value`, with the gradient of `gradient`."""
    return gradient + (value - gradient).detach()
