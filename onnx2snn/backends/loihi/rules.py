"""What the chip can hold, rule by rule; numbers in chip units."""

from __future__ import annotations

import numpy as np

from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.chains import (
    STRUCTURE_OF_BOTH,
    Layer,
    LayerRule,
    Limit,
    Output,
    Population,
    UnitPopulation,
    ends,
    in_every_layer,
)
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.ladder.rules import LADDER_LIMITS
from onnx2snn.backends.loihi.ladder.sums import ends_of, parts_of
from onnx2snn.backends.loihi.tables import lift_of, scaling

COARSER = "coarser activations or fewer --weight-bits lower it"
NARROWER = "fewer inputs or fewer --weight-bits narrow it"
ENCODED = "quantising the model's input, fewer bits of it or more --steps lower it"


def weights_fit_8_bit_mantissas(layer: Layer, steps: int) -> Limit | None:
    """Even mantissas of mixed sign and one exponent for the whole layer."""
    if layer.synapse is None:
        return None
    mantissas = scaling(layer).mantissas(layer.synapse.weight << layer.shift)
    bounds = (chip.WEIGHT_LOW, chip.WEIGHT_HIGH)
    return Limit(layer.synapse.label, "weight mantissas", *ends(mantissas), *bounds, "--weight-bits 8 or fewer helps")


def thresholds_fit(layer: Layer, steps: int) -> Limit | None:
    """Two reset weights must be able to take the threshold off."""
    if not isinstance(layer, Population):
        return None
    theta = layer.theta * scaling(layer).scale
    return Limit(layer.label, "thresholds", *ends(theta), 1, chip.MOST_THETA, COARSER if layer.synapse else ENCODED)


def synaptic_sums_fit_16_bits(layer: Layer, steps: int) -> Limit | None:
    """All that can arrive in one tick: every source may spike, all its units, and a soft reset of the tick before."""
    if layer.synapse is None:
        return None
    if isinstance(layer, Output):
        low, high = (np.array(end * scaling(layer).scale) for end in ends_of(layer.synapse, parts_of(layer)))
    else:
        low, high = ((end << layer.shift) * scaling(layer).scale for end in layer.synapse.range())
    reset = layer.theta * scaling(layer).scale if isinstance(layer, Population) else 0
    bounds = (-chip.MOST_SUM, chip.MOST_SUM)
    return Limit(layer.synapse.label, "sums in one tick", *ends(low - reset, high), *bounds, NARROWER)


def membranes_fit_24_bits(layer: Layer, steps: int) -> Limit | None:
    """The register holds 2^6 times what has arrived, less the thresholds taken off."""
    if isinstance(layer, UnitPopulation) or (isinstance(layer, Output) and steps == 1):
        return None  # the sum of one tick, and perhaps a bias: both have rules of their own
    low, high = (end * scaling(layer).scale for end in layer.membrane(steps))
    high = high + lift_of(layer) if isinstance(layer, Population) else high
    return Limit(layer.label, "membranes", *ends(low, high), -chip.MOST_MEMBRANE, chip.MOST_MEMBRANE, NARROWER)


def biases_fit_13_bits(layer: Layer, steps: int) -> Limit | None:
    """Mantissas at exponent 6; those that the host writes reach up to one threshold."""
    if not isinstance(layer, Population):
        return None
    if layer.synapse is None:
        return Limit(layer.label, "bias mantissas", *ends(*layer.current(steps)), 0, chip.MOST_BIAS, ENCODED)
    biases = layer.per_tick(steps) * scaling(layer).scale
    return Limit(layer.label, "bias mantissas", *ends(biases), -chip.MOST_BIAS, chip.MOST_BIAS, COARSER)


LIMITS: tuple[LayerRule, ...] = (
    weights_fit_8_bit_mantissas,
    thresholds_fit,
    synaptic_sums_fit_16_bits,
    membranes_fit_24_bits,
    biases_fit_13_bits,
)


RULES: tuple[DesignRule, ...] = (*STRUCTURE_OF_BOTH, *map(in_every_layer, (*LIMITS, *LADDER_LIMITS)))
