"""Learned-step quantisers (LSQ: Esser et al., "Learned Step Size Quantization", ICLR 2020).

y = s * n with n = clip(R(x / s), lo, hi) and R = round half to even. By the chain rule alone, with v = x / s:

    dy/dx = 1 if lo <= v <= hi else 0;        dy/ds = R(v) - v if lo <= v <= hi else n.

LSQ multiplies dL/ds by 1 / sqrt(hi * numel), numel = how many values of one sample share the step, and starts
at s = 2 mean|x| / sqrt(hi) on the first batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from onnx2snn.training.quantisers.base import (
    ActivationQuantiser,
    Quantiser,
    WeightQuantiser,
    check_bits,
    mean_over_ranks,
    positive,
    scale_gradient,
    to_codes,
)


class LearnedStep(Quantiser):
    """What the two learned quantisers share: the step s > 0 and its start on the first batch.

    The parameter is `raw`, s = max(|raw|, 1e-8): a step that an update pushes through zero comes back on the
    positive side.
    """

    raw: nn.Parameter
    started: Tensor

    def __init__(self, bits: int, lo: int, hi: int, shape: tuple[int, ...]) -> None:
        check_bits(bits)
        super().__init__()
        self.bits, self.lo, self.hi = bits, lo, hi
        self.raw = nn.Parameter(torch.ones(shape))
        self.register_buffer("started", torch.tensor(False))

    @property
    def step(self) -> Tensor:
        """The quantisation step s, positive."""
        return positive(self.raw)

    @property
    def ready(self) -> bool:
        """A first batch sets the step."""
        return bool(self.started)

    def _start(self, mean: Tensor) -> None:
        """s = 2 mean / sqrt(hi), once; where the mean of |x| is zero the step stays at 1."""
        if self.started:
            return
        mean = mean_over_ranks(mean)
        with torch.no_grad():
            self.raw.copy_(torch.where(mean > 0, 2 * mean / math.sqrt(self.hi), torch.ones_like(mean)))
            self.started.fill_(True)

    def _slow_step(self, numel: int) -> Tensor:
        """The step with LSQ's gradient scale 1 / sqrt(hi * numel)."""
        return scale_gradient(self.step, 1 / math.sqrt(self.hi * numel))

    def extra_repr(self) -> str:
        return f"bits={self.bits}, codes {self.lo}..{self.hi}"


class LearnedStepActivation(LearnedStep, ActivationQuantiser):
    """Unsigned activation quantiser with the ReLU inside: y = s * clip(R(x / s), 0, 2^bits - 1), one s.

    numel of the gradient scale is the number of features of one sample (LSQ's N_F).
    """

    def __init__(self, bits: int = 4) -> None:
        super().__init__(bits, 0, 2**bits - 1, ())

    def forward(self, x: Tensor) -> Tensor:
        self._start(x.detach().abs().mean())
        step = self._slow_step(x[0].numel())
        return to_codes(x, step, self.lo, self.hi) * step


class LearnedStepWeight(LearnedStep, WeightQuantiser):
    """Symmetric weight quantiser, narrow range, one step per output channel c (axis 0).

    w_q[c] = s[c] * clip(R(w[c] / s[c]), -q, q) with q = 2^(bits-1) - 1; numel is the weights of one channel.
    """

    def __init__(self, bits: int = 4, channels: int = 1) -> None:
        hi = 2 ** (bits - 1) - 1
        super().__init__(bits, -hi, hi, (channels,))

    def forward(self, weight: Tensor) -> Tensor:
        self._start(weight.detach().abs().flatten(1).mean(1))
        step = self._slow_step(weight[0].numel()).reshape(-1, *[1] * (weight.ndim - 1))
        return to_codes(weight, step, self.lo, self.hi) * step

    def codes(self, weight: Tensor) -> Tensor:
        """The whole weights n as int8, shaped like `weight`."""
        return to_codes(weight, self._steps(weight), self.lo, self.hi).to(torch.int8)
