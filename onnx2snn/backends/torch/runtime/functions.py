"""The real-valued tail behind the readouts: elementwise functions and softmax, as ONNX defines them."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from onnx2snn.backends.torch.runtime.arithmetic import keep
from onnx2snn.backends.torch.runtime.signals import Signal
from onnx2snn.backends.torch.runtime.synapses import Synapse


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x))."""
    return torch.logaddexp(x, torch.zeros_like(x))


def elu(x: Tensor, alpha: float, scale: float) -> Tensor:
    """scale x where x > 0, else scale alpha (exp(x) - 1)."""
    return scale * torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


def celu(x: Tensor, alpha: float) -> Tensor:
    """x where x > 0, else alpha (exp(x / alpha) - 1), never above zero."""
    return x.clamp(min=0) + (alpha * torch.expm1(x.clamp(max=0) / alpha)).clamp(max=0)


def hard_sigmoid(x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha x + beta, between 0 and 1."""
    return (alpha * x + beta).clamp(0, 1)


UNARY: dict[str, Callable[[Tensor, float, float], Tensor]] = {
    "abs": lambda x, alpha, beta: x.abs(),
    "ceil": lambda x, alpha, beta: x.ceil(),
    "celu": lambda x, alpha, beta: celu(x, alpha),
    "elu": elu,
    "erf": lambda x, alpha, beta: x.erf(),
    "exp": lambda x, alpha, beta: x.exp(),
    "floor": lambda x, alpha, beta: x.floor(),
    "gelu": lambda x, alpha, beta: F.gelu(x),
    "gelu-tanh": lambda x, alpha, beta: F.gelu(x, approximate="tanh"),
    "hard-sigmoid": hard_sigmoid,
    "hard-swish": lambda x, alpha, beta: x * hard_sigmoid(x, 1 / 6, 0.5),
    "log": lambda x, alpha, beta: x.log(),
    "mish": lambda x, alpha, beta: x * softplus(x).tanh(),
    "nonnegative": lambda x, alpha, beta: (x >= 0).to(x.dtype),
    "positive": lambda x, alpha, beta: (x > 0).to(x.dtype),
    "power": lambda x, alpha, beta: x.pow(alpha),
    "reciprocal": lambda x, alpha, beta: x.reciprocal(),
    "round": lambda x, alpha, beta: x.round(),
    "selu": elu,
    "sigmoid": lambda x, alpha, beta: x.sigmoid(),
    "sign": lambda x, alpha, beta: x.sign(),
    "softplus": lambda x, alpha, beta: softplus(x),
    "softsign": lambda x, alpha, beta: F.softsign(x),
    "sqrt": lambda x, alpha, beta: x.sqrt(),
    "tanh": lambda x, alpha, beta: x.tanh(),
    "thresholded-relu": lambda x, alpha, beta: torch.where(x > alpha, x, 0),
    "truncate": lambda x, alpha, beta: x.trunc(),
}


class Unary(Synapse):
    """y = function(x), entry by entry."""

    def __init__(self, *, function: str, alpha: float = 0.0, beta: float = 0.0) -> None:
        super().__init__()
        self.function, self.alpha, self.beta = function, alpha, beta

    def current(self, x: Tensor) -> Tensor:
        return UNARY[self.function](x, self.alpha, self.beta)


class Relu(Synapse):
    """y = max(x, 0)."""

    def current(self, x: Tensor) -> Tensor:
        return x.clamp(min=0)


class Clip(Synapse):
    """y = min(max(x, low), high)."""

    def __init__(self, *, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def current(self, x: Tensor) -> Tensor:
        return x.clamp(self.low, self.high)


class LeakyRelu(Synapse):
    """y = x where x >= 0, else slope x."""

    slope: Tensor

    def __init__(self, *, slope: Tensor) -> None:
        super().__init__()
        keep(self, "slope", slope, None, train=True)

    def current(self, x: Tensor) -> Tensor:
        return torch.where(x >= 0, x, self.slope * x)


class Softmax(Synapse):
    """exp(x) / sum exp(x) along `axis` of the features; its logarithm where `log`."""

    def __init__(self, *, axis: int, log: bool = False) -> None:
        super().__init__()
        self.axis, self.log = axis, log

    def current(self, x: Tensor) -> Tensor:
        return (torch.log_softmax if self.log else torch.softmax)(x, self.axis + 1)


class Combination(nn.Module):
    """Two signals as one, entry by entry."""

    combine: Callable[[Tensor, Tensor], Tensor]

    def forward(self, first: Signal, second: Signal) -> Signal:
        return Signal(self.combine(first.values, second.values), still=True)


class Multiply(Combination):
    """y = a b."""

    combine = staticmethod(torch.mul)


class Minimum(Combination):
    """y = min(a, b)."""

    combine = staticmethod(torch.minimum)


class Maximum(Combination):
    """y = max(a, b)."""

    combine = staticmethod(torch.maximum)
