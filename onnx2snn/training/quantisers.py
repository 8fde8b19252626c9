"""Learned-step quantisers for training (LSQ: Esser et al., "Learned Step Size Quantization", ICLR 2020).

Every quantiser is the staircase y = s * n with n = clip(R(x / s), lo, hi) and R = round half to even, as
ONNX's QuantizeLinear rounds, so what is trained is what is exported. Rounding has the straight-through
gradient (Bengio et al., arXiv:1308.3432): dR(v)/dv = 1. By the chain rule alone, with v = x / s:

    dy/dx = 1 if lo <= v <= hi else 0;        dy/ds = R(v) - v if lo <= v <= hi else n.

LSQ multiplies dL/ds by 1 / sqrt(hi * numel), numel = how many values of one sample share the step, and starts
at s = 2 mean|x| / sqrt(hi) on the first batch.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from onnx2snn.errors import UsageError

SMALLEST_STEP = 1e-8
"""No step is smaller: a step is a divisor."""


class _Round(torch.autograd.Function):
    """R(v), half to even; gradient 1."""

    @staticmethod
    def forward(ctx: Any, v: Tensor) -> Tensor:
        return v.round()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class _ScaleGradient(torch.autograd.Function):
    """The identity, bit for bit; its gradient is multiplied by `factor`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.factor, None


def to_codes(x: Tensor, step: Tensor, lo: int, hi: int) -> Tensor:
    """n = clip(R(x / step), lo, hi), whole numbers in x's float type; straight-through gradient.

    Clipping goes first: the bounds are whole numbers, so the value is the same, and clamp's own gradient is
    the mask of LSQ.
    """
    return _Round.apply(torch.clamp(x / step, lo, hi))  # pyright: ignore[reportReturnType]


class LearnedStep(nn.Module):
    """What the two learned quantisers share: the step s > 0 and its start on the first batch.

    The parameter is `raw`, s = max(|raw|, 1e-8): a step that an update pushes through zero comes back on the
    positive side.
    """

    raw: nn.Parameter
    started: Tensor

    def __init__(self, bits: int, lo: int, hi: int, shape: tuple[int, ...]) -> None:
        if not 2 <= bits <= 8:
            raise UsageError(f"a learned step takes 2 to 8 bits, not {bits}")
        super().__init__()
        self.bits, self.lo, self.hi = bits, lo, hi
        self.raw = nn.Parameter(torch.ones(shape))
        self.register_buffer("started", torch.tensor(False))

    @property
    def step(self) -> Tensor:
        """The quantisation step s, positive."""
        return self.raw.abs().clamp_min(SMALLEST_STEP)

    def _start(self, mean: Tensor) -> None:
        """s = 2 mean / sqrt(hi), once; where the mean of |x| is zero the step stays at 1."""
        if self.started:
            return
        with torch.no_grad():
            self.raw.copy_(torch.where(mean > 0, 2 * mean / math.sqrt(self.hi), torch.ones_like(mean)))
            self.started.fill_(True)

    def _slow_step(self, numel: int) -> Tensor:
        """The step with LSQ's gradient scale 1 / sqrt(hi * numel)."""
        return _ScaleGradient.apply(self.step, 1 / math.sqrt(self.hi * numel))  # pyright: ignore[reportReturnType]

    def extra_repr(self) -> str:
        return f"bits={self.bits}, codes {self.lo}..{self.hi}"


class LearnedStepActivation(LearnedStep):
    """Unsigned activation quantiser with the ReLU inside: y = s * clip(R(x / s), 0, 2^bits - 1), one s.

    numel of the gradient scale is the number of features of one sample (LSQ's N_F).
    """

    def __init__(self, bits: int = 4) -> None:
        super().__init__(bits, 0, 2**bits - 1, ())

    def forward(self, x: Tensor) -> Tensor:
        self._start(x.detach().abs().mean())
        step = self._slow_step(x[0].numel())
        return to_codes(x, step, self.lo, self.hi) * step


class LearnedStepWeight(LearnedStep):
    """Symmetric weight quantiser, narrow range, one step per output channel c (axis 0).

    w_q[c] = s[c] * clip(R(w[c] / s[c]), -q, q) with q = 2^(bits-1) - 1; numel is the weights of one channel.
    """

    def __init__(self, bits: int = 4, channels: int = 1) -> None:
        hi = 2 ** (bits - 1) - 1
        super().__init__(bits, -hi, hi, (channels,))

    def forward(self, weight: Tensor) -> Tensor:
        self._start(weight.detach().abs().flatten(1).mean(1))
        step = _per_channel(self._slow_step(weight[0].numel()), weight)
        return to_codes(weight, step, self.lo, self.hi) * step

    def codes(self, weight: Tensor) -> Tensor:
        """The integer weights n as int8, shaped like `weight`."""
        return to_codes(weight, _per_channel(self.step, weight), self.lo, self.hi).to(torch.int8)


class InputQuantiser(nn.Module):
    """Fixed-step unsigned quantiser of the network's input: y = scale * clip(R(x / scale), 0, hi).

    `hi` is 2^bits - 1 unless the data reach less far (digits with 17 grey levels: scale 1/16, hi 16).
    """

    step: Tensor

    def __init__(self, scale: float, bits: int = 8, hi: int | None = None) -> None:
        largest = 2**bits - 1
        if not (1 <= bits <= 8 and scale > 0 and (hi is None or 0 < hi <= largest)):
            raise UsageError(f"input quantiser: scale > 0, 1..8 bits, hi in range; got {scale}, {bits}, {hi}")
        super().__init__()
        self.bits, self.lo, self.hi = bits, 0, largest if hi is None else hi
        self.register_buffer("step", torch.tensor(scale, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return to_codes(x, self.step, self.lo, self.hi) * self.step

    def extra_repr(self) -> str:
        return f"bits={self.bits}, codes 0..{self.hi}"


def _per_channel(step: Tensor, weight: Tensor) -> Tensor:
    return step.reshape(-1, *[1] * (weight.ndim - 1))
