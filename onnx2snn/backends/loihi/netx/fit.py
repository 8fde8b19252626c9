"""Whole numbers that the reader takes as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnx2snn.backends.chains import FitGrid, Layer, LayerRule, Limit, Population, UnitPopulation, ends, within
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.rules import COARSER, NARROWER
from onnx2snn.backends.loihi.tables import scaling
from onnx2snn.ir import Array


def effective(layer: Layer) -> Array:
    """Weights as the file holds them, int64 (out, in / groups, *kernel)."""
    assert layer.synapse is not None
    return (layer.synapse.weight << layer.shift) * scaling(layer).scale


def bias_of(layer: Layer, steps: int) -> Array:
    """Bias at every tick, int64 (neurons,).

    For one step it has what the membrane starts with, and the threshold but for one: the chip spikes on v > 0.
    """
    if not isinstance(layer, Population):
        return np.zeros(layer.size, np.int64)
    bias = layer.per_tick(steps) * scaling(layer).scale
    if steps > 1:
        return bias
    return bias + (layer.start(steps) - layer.theta) * scaling(layer).scale + 1


def weights_fit_8_bits(layer: Layer, steps: int) -> Limit | None:
    """The file has no exponent, and odd weights of mixed sign do not fit."""
    if layer.synapse is None:
        return None
    found = ends(effective(layer))
    return Limit(
        layer.synapse.label, "weights", *found, chip.WEIGHT_LOW, chip.WEIGHT_HIGH, "--weight-bits 8 or fewer helps"
    )


def sums_fit_16_bits(layer: Layer, steps: int) -> Limit | None:
    """All that can arrive in one tick."""
    if layer.synapse is None:
        return None
    found = ends(*((end << layer.shift) * scaling(layer).scale for end in layer.synapse.range()))
    return Limit(layer.synapse.label, "sums in one tick", *found, -chip.MOST_SUM, chip.MOST_SUM, NARROWER)


def silent_membranes_are_forgotten(layer: Layer, steps: int) -> Limit | None:
    """What a decay of 4095 leaves of a silent neuron must stay below one unit: v > -4096 units."""
    if layer.synapse is None or steps > 1 or not isinstance(layer, Population):
        return None
    low = (layer.synapse.range()[0] << layer.shift) * scaling(layer).scale + bias_of(layer, steps)
    least = -(chip.DECAY_UNIT - 1)
    return Limit(layer.label, "membranes down", *ends(low, np.zeros(1, np.int64)), least, 0, NARROWER)


def thresholds_fit_17_bits(layer: Layer, steps: int) -> Limit | None:
    """Over several steps they are in the file; for one step they are 0."""
    if layer.synapse is None or steps == 1 or not isinstance(layer, Population):
        return None
    theta = layer.theta * scaling(layer).scale
    return Limit(layer.label, "thresholds", *ends(theta), 1, chip.MOST_THRESHOLD + 1, COARSER)


def membranes_fit_24_bits(layer: Layer, steps: int) -> Limit | None:
    """A readout must never spike, and no register may saturate."""
    if layer.synapse is None or isinstance(layer, UnitPopulation):
        return None
    most = chip.MOST_THRESHOLD if steps > 1 else chip.MOST_MEMBRANE
    low, high = (end * scaling(layer).scale for end in layer.membrane(steps))
    return Limit(layer.label, "membranes", *ends(low, high), -chip.MOST_MEMBRANE, most, NARROWER)


def biases_fit_13_bits(layer: Layer, steps: int) -> Limit | None:
    """Mantissas at exponent 6."""
    if layer.synapse is None:
        return None
    return Limit(layer.label, "bias mantissas", *ends(bias_of(layer, steps)), -chip.MOST_BIAS, chip.MOST_BIAS, COARSER)


LIMITS: tuple[LayerRule, ...] = (
    weights_fit_8_bits,
    sums_fit_16_bits,
    silent_membranes_are_forgotten,
    thresholds_fit_17_bits,
    membranes_fit_24_bits,
    biases_fit_13_bits,
)


@final
@dataclass(frozen=True)
class FitNetx(FitGrid):
    """Grids whose weights are even and within 8 bits as they stand.

    given, result: see `FitGrid`.
    """

    name: ClassVar[str] = "fit-netx"
    most_shift: ClassVar[int] = chip.MOST_EXPONENT
    most_theta: ClassVar[int] = chip.MOST_THRESHOLD + 1

    def fits(self, population: Population) -> bool:
        return within(LIMITS, population, self.steps)
