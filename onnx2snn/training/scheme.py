"""Schemes: which quantisers a network gets, by the name of a method and a number of bits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.training.quantisers import (
    InputQuantiser,
    LearnedClipActivation,
    LearnedStepActivation,
    LearnedStepWeight,
    MaxAbsWeight,
    MedianActivation,
    NormalisedWeight,
    PactActivation,
    QcfsActivation,
    RateNorm,
    TernaryWeight,
    WeightQuantiser,
)
from onnx2snn.training.quantisers.base import check_bits

FLOAT = 32
"""The number of bits that stands for none."""
REAL = ("float", "rate-norm")
"""The schemes that quantise nothing: their only number of bits is `FLOAT`."""

MakeWeight = Callable[[int], WeightQuantiser | None]
"""(output channels) -> the quantiser of a layer's weight, or None for real weights"""


@dataclass(frozen=True)
class Scheme:
    """What a network's layers get: every builder asks one.

    name, bits, options: what `scheme` was called with.  weight: for the layers between; ends: for the first and last.
    activation: a new activation, the ReLU inside.  input: a new quantiser of the image, or None for a real-valued one.
    """

    name: str
    bits: int
    weight: MakeWeight
    ends: MakeWeight
    activation: Callable[[], nn.Module]
    input: Callable[[], nn.Module | None] = lambda: InputQuantiser(1 / 255)
    options: Mapping[str, Any] = field(default_factory=dict)


def _none(channels: int) -> WeightQuantiser | None:
    return None


def _eight_bits(channels: int) -> WeightQuantiser | None:
    return MaxAbsWeight(8)


def _float(bits: int) -> Scheme:
    return Scheme("float", bits, _none, _none, nn.ReLU)


def _fast_snn(bits: int, grid: str = "apot", clipped_gradient: bool = True, start: float = 6.0) -> Scheme:
    if grid not in ("apot", "uniform"):
        raise UsageError(f"grid: apot or uniform expected, found {grid!r}")
    check_bits(bits)

    def weight(channels: int) -> WeightQuantiser:
        return NormalisedWeight(bits, grid, clipped_gradient=clipped_gradient)

    return Scheme("fast-snn", bits, weight, _eight_bits, lambda: LearnedClipActivation(bits, start))


def _lsq(bits: int) -> Scheme:
    check_bits(bits)
    return Scheme(
        "lsq",
        bits,
        lambda channels: LearnedStepWeight(bits, channels),
        lambda channels: LearnedStepWeight(8, channels),
        lambda: LearnedStepActivation(bits),
    )


def _max_abs(bits: int, per_channel: bool = True) -> Scheme:
    check_bits(bits)
    return Scheme(
        "max-abs",
        bits,
        lambda channels: MaxAbsWeight(bits, per_channel),
        lambda channels: MaxAbsWeight(8, per_channel),
        lambda: LearnedStepActivation(bits),
    )


def _pact(bits: int, start: float = 8.0) -> Scheme:
    check_bits(bits)
    return Scheme(
        "pact",
        bits,
        lambda channels: MaxAbsWeight(bits, per_channel=True),
        _eight_bits,
        lambda: PactActivation(bits, start),
    )


def _qcfs(bits: int, levels: int = 0, start: float = 8.0) -> Scheme:
    """The source keeps real weights; 8 bits keep the arithmetic whole."""
    return Scheme("qcfs", bits, _eight_bits, _eight_bits, lambda: QcfsActivation(levels or 2**bits - 1, start))


def _median(bits: int, k: int = 0, bound: int = 1) -> Scheme:
    """`bits` says nothing here (weights are ternary, levels 2^k B) but that it is not 32."""
    return Scheme("median", bits, lambda channels: TernaryWeight(), _eight_bits, lambda: MedianActivation(k, bound))


def _rate_norm(bits: int) -> Scheme:
    """Rates are real-valued, and so are the weights; `bits` says nothing."""
    return Scheme("rate-norm", bits, _none, _none, RateNorm)


SCHEMES: Mapping[str, Callable[..., Scheme]] = {
    "float": _float,
    "fast-snn": _fast_snn,
    "lsq": _lsq,
    "max-abs": _max_abs,
    "pact": _pact,
    "qcfs": _qcfs,
    "median": _median,
    "rate-norm": _rate_norm,
}


def scheme(name: str, bits: int = FLOAT, **options: Any) -> Scheme:
    """The scheme of a method, e.g. `scheme("fast-snn", bits=3)`.

    name: float, fast-snn, lsq, max-abs, pact, qcfs, median or rate-norm.  bits: of weights and activations; 32 gives
    the float network with the same parameter names, from which the others start.  options: of the method: grid (apot,
    uniform), clipped_gradient and start for fast-snn, start for pact, levels and start for qcfs, k and bound for
    median, per_channel for max-abs.  Raises `UnknownNameError` and `UsageError`.
    """
    if name not in SCHEMES:
        raise UnknownNameError(f"no scheme {name!r}; known: {', '.join(SCHEMES)}")
    make = SCHEMES[name]
    known = list(inspect.signature(make).parameters)[1:]
    if unknown := [option for option in options if option not in known]:
        raise UsageError(f"scheme {name}: options {', '.join(known) or 'none'} expected, found {', '.join(unknown)}")
    if name == "rate-norm":
        return replace(make(bits), options=options)
    if bits == FLOAT:
        return replace(_float(bits), name=name, options=options)
    return replace(make(bits, **options), options=options)
