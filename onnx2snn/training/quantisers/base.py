"""What every quantiser is: y = n * step with whole n, so that what is trained is what is exported.

The forward value is always codes times step in float32, the arithmetic of ONNX's DequantizeLinear; the codes are
rounded as the exported file rounds them. Only the gradients differ from method to method. Rounding has the
straight-through gradient (Bengio et al., arXiv:1308.3432): dR(v)/dv = 1.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, distributed, nn

from onnx2snn.errors import UsageError

SMALLEST_STEP = 1e-8
"""No step is smaller: a step is a divisor."""

Rounding = Literal["half-even", "half-up"]


class _Round(torch.autograd.Function):
    """R(v) with gradient 1."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, rounding: Rounding) -> Tensor:
        return v.round() if rounding == "half-even" else (v + 0.5).floor()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


class _ScaleGradient(torch.autograd.Function):
    """The identity, bit for bit; its gradient is multiplied by `factor`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.factor, None


class _Replace(torch.autograd.Function):
    """The value of `y`, bit for bit; the gradient goes to `x` as it comes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def to_codes(x: Tensor, step: Tensor, lo: int, hi: int, rounding: Rounding = "half-even") -> Tensor:
    """n = clip(R(x / step), lo, hi), whole numbers in x's float type; straight-through gradient.

    Clipping goes first: the bounds are whole numbers, so the value is the same, and clamp's own gradient is
    the mask of LSQ.
    """
    return _Round.apply(torch.clamp(x / step, lo, hi), rounding)  # pyright: ignore[reportReturnType]


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """x, with its gradient multiplied by `factor`."""
    return _ScaleGradient.apply(x, factor)  # pyright: ignore[reportReturnType]


def straight_through(x: Tensor, y: Tensor) -> Tensor:
    """The value of y (shaped like x), whose gradient goes to x unchanged."""
    return _Replace.apply(x, y.detach())  # pyright: ignore[reportReturnType]


def with_gradients(value: Tensor, x: Tensor, to_x: Tensor, parameter: Tensor, to_parameter: Tensor) -> Tensor:
    """`value`, with the gradients that a method defines: dy/dx = to_x entry by entry, dy/dparameter = to_parameter.

    value, x, to_x, to_parameter: of one shape.  parameter: broadcasts to it, and gets the sum of its entries.
    """
    return straight_through(x * to_x.detach() + parameter * to_parameter.detach(), value)


def positive(raw: Tensor) -> Tensor:
    """max(|raw|, 1e-8): a step or clip that an update pushes through zero comes back on the positive side."""
    return raw.abs().clamp_min(SMALLEST_STEP)


def mean_over_ranks(value: Tensor) -> Tensor:
    """The mean of `value` over all processes of a distributed run: they must start with the same step."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return value
    total = value.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def max_over_ranks(value: Tensor) -> Tensor:
    """The largest `value` of all processes of a distributed run."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return value
    largest = value.clone()
    distributed.all_reduce(largest, distributed.ReduceOp.MAX)
    return largest


def check_bits(bits: int, low: int = 2) -> None:
    """Raises `UsageError` for a number of bits that no quantiser here has."""
    if not low <= bits <= 8:
        raise UsageError(f"bits: {low} to 8 (or 32 for none) expected, found {bits}")


class Quantiser(nn.Module):
    """y = n * step with n = clip(R(...), lo, hi) whole.

    carries: whether its parameters mean the same at another precision, so that training at 3 bits may go on from
    those of 4.
    """

    carries: ClassVar[bool] = False
    lo: int
    hi: int
    rounding: Rounding = "half-even"

    @property
    def step(self) -> Tensor:
        """The quantisation step: a scalar, or one per output channel (C,)."""
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        """Whether the step has been set; some quantisers need a first batch."""
        return True

    def extra_repr(self) -> str:
        return f"codes {self.lo}..{self.hi}"


class ActivationQuantiser(Quantiser):
    """Quantises values with the ReLU inside: y = step * clip(R(x / step), 0, hi), one step."""

    lo = 0


class WeightQuantiser(Quantiser):
    """Quantises a weight (C, ...); axis 0 is the output channel."""

    def codes(self, weight: Tensor) -> Tensor:
        """The whole weights n as int8, shaped like `weight`."""
        raise NotImplementedError

    def step_of(self, weight: Tensor) -> Tensor:
        """The step for this weight: a scalar, or one per output channel (C,)."""
        return self.step

    def _steps(self, weight: Tensor) -> Tensor:
        """The step, shaped to broadcast against `weight`."""
        step = self.step_of(weight)
        return step if step.ndim == 0 else step.reshape(-1, *[1] * (weight.ndim - 1))

    def quantised(self, weight: Tensor) -> Tensor:
        """codes * step, what the exported file computes with."""
        return self.codes(weight).to(weight.dtype) * self._steps(weight)
