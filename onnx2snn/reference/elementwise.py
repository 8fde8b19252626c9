"""The elementwise functions of ONNX by name, on float64 arrays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Unary

UnaryFunction = Callable[[Array, float, float], Array]


def half_up(x: Array) -> Array:
    """Nearest whole number, halves upward; exact where x + 1/2 would round."""
    low = np.floor(x)
    return low + (x - low >= 0.5)


def half_down(x: Array) -> Array:
    """Nearest whole number, halves downward."""
    return -half_up(-x)


def mirrored(x: Array, positive: Callable[[Array], Array]) -> Array:
    """The odd function that is `positive` for x >= 0."""
    return np.sign(x) * positive(np.abs(x))


ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "half-even": np.rint,
    "half-up": half_up,
    "half-down": half_down,
    "half-away": lambda x: mirrored(x, half_up),
    "half-toward-zero": lambda x: mirrored(x, half_down),
    "floor": np.floor,
    "ceil": np.ceil,
    "truncate": np.trunc,
    "away": lambda x: mirrored(x, np.ceil),
}

erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -x))


def _elu(x: Array, alpha: float, scale: float) -> Array:
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    return np.clip(alpha * x + beta, 0, 1)


def _celu(x: Array, alpha: float, beta: float) -> Array:
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _gelu_tanh(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def _softplus(x: Array) -> Array:
    return np.logaddexp(0.0, x)


def _power(x: Array, alpha: float, beta: float) -> Array:
    return np.power(x, alpha)


def _thresholded_relu(x: Array, alpha: float, beta: float) -> Array:
    return np.where(x > alpha, x, 0)


def _plain(function: Callable[[Array], Array]) -> UnaryFunction:
    """A function without parameters."""
    return lambda x, alpha, beta: function(x)


UNARY: dict[str, UnaryFunction] = {
    "celu": _celu,
    "elu": _elu,
    "hard-sigmoid": _hard_sigmoid,
    "power": _power,
    "selu": _elu,
    "thresholded-relu": _thresholded_relu,
    "abs": _plain(np.abs),
    "ceil": _plain(np.ceil),
    "erf": _plain(erf),
    "exp": _plain(np.exp),
    "floor": _plain(np.floor),
    "gelu": _plain(_gelu),
    "gelu-tanh": _plain(_gelu_tanh),
    "hard-swish": _plain(lambda x: x * _hard_sigmoid(x, 1 / 6, 0.5)),
    "log": _plain(np.log),
    "mish": _plain(lambda x: x * np.tanh(_softplus(x))),
    "nonnegative": _plain(lambda x: (x >= 0).astype(np.float64)),
    "positive": _plain(lambda x: (x > 0).astype(np.float64)),
    "reciprocal": _plain(np.reciprocal),
    "round": _plain(np.rint),
    "sigmoid": _plain(_sigmoid),
    "sign": _plain(np.sign),
    "softplus": _plain(_softplus),
    "softsign": _plain(lambda x: x / (1 + np.abs(x))),
    "sqrt": _plain(np.sqrt),
    "tanh": _plain(np.tanh),
    "truncate": _plain(np.trunc),
}


def unary(op: Unary, x: Array) -> Array:
    """The function of the op, in float64; what it does not define (log of -1) is not a number."""
    with np.errstate(all="ignore"):
        return UNARY[op.function](x.astype(np.float64), op.alpha, op.beta)


def softmax(x: Array, axis: int, log: bool) -> Array:
    """exp(x) / sum exp(x) along `axis`, or its logarithm."""
    shifted = x - x.max(axis=axis, keepdims=True)
    logarithm = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return logarithm if log else np.exp(logarithm)
