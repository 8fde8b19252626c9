"""What the chip can hold, rule by rule; numbers in chip units."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from onnx2snn.artifact import Network
from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.chains import (
    STRUCTURE_OF_ALL,
    Layer,
    LayerRule,
    Limit,
    Output,
    Population,
    UnitPopulation,
    chain_if_sound,
    ends,
    in_every_layer,
)
from onnx2snn.backends.chains.layers import WHOLE
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.ladder.rules import LADDER_LIMITS
from onnx2snn.backends.loihi.ladder.sums import ends_of, parts_of
from onnx2snn.backends.loihi.leaks import grain, in_chip_units, misfit
from onnx2snn.backends.loihi.tables import lift_of, scaling
from onnx2snn.ir.ops import LIF

COARSER = "coarser activations or fewer --weight-bits lower it"
NARROWER = "fewer inputs or fewer --weight-bits narrow it"
MADE = "(pass fit-loihi makes it)"
ENCODED = "quantising the model's input (--quantise-input N), fewer bits of it or more --steps lower it"


def weights_fit_8_bit_mantissas(layer: Layer, steps: int) -> Limit | None:
    """Even mantissas of mixed sign and one exponent for the whole layer."""
    layer = in_chip_units(layer)
    if layer.synapse is None:
        return None
    mantissas = scaling(layer).mantissas(layer.synapse.weight << layer.shift)
    bounds = (chip.WEIGHT_LOW, chip.WEIGHT_HIGH)
    return Limit(layer.synapse.label, "weight mantissas", *ends(mantissas), *bounds, "--weight-bits 8 or fewer helps")


def thresholds_fit(layer: Layer, steps: int) -> Limit | None:
    """Two reset weights must be able to take the threshold off; where it is set to 0, a register of 17 bits."""
    layer = in_chip_units(layer)
    if not isinstance(layer, Population):
        return None
    theta = layer.theta * scaling(layer).scale
    most = chip.MOST_THETA if layer.subtracts else chip.MOST_THRESHOLD + 1
    return Limit(layer.label, "thresholds", *ends(theta), 1, most, COARSER if layer.synapse else ENCODED)


def synaptic_sums_fit_16_bits(layer: Layer, steps: int) -> Limit | None:
    """All that can arrive in one tick: every source may spike, all its units, and a soft reset of the tick before."""
    layer = in_chip_units(layer)
    if layer.synapse is None:
        return None
    if isinstance(layer, Output):
        low, high = (np.array(end * scaling(layer).scale) for end in ends_of(layer.synapse, parts_of(layer)))
    else:
        low, high = ((end << layer.shift) * scaling(layer).scale for end in layer.synapse.range())
    reset = 0
    if isinstance(layer, Population) and layer.subtracts:
        reset = layer.theta * scaling(layer).scale
    bounds = (-chip.MOST_SUM, chip.MOST_SUM)
    return Limit(layer.synapse.label, "sums in one tick", *ends(low - reset, high), *bounds, NARROWER)


def membranes_fit_24_bits(layer: Layer, steps: int) -> Limit | None:
    """The register holds 2^6 times what has arrived, less the thresholds taken off and what has leaked."""
    layer = in_chip_units(layer)
    if isinstance(layer, UnitPopulation) or (isinstance(layer, Output) and steps == 1):
        return None  # the sum of one tick, and perhaps a bias: both have rules of their own
    low, high = (end * scaling(layer).scale for end in layer.membrane(steps))
    high = high + lift_of(layer) if isinstance(layer, Population) else high
    return Limit(layer.label, "membranes", *ends(low, high), -chip.MOST_MEMBRANE, chip.MOST_MEMBRANE, NARROWER)


def biases_fit_13_bits(layer: Layer, steps: int) -> Limit | None:
    """Mantissas at exponent 6; those that the host writes reach up to one threshold, or to what settles there."""
    layer = in_chip_units(layer)
    if not isinstance(layer, Population):
        return None
    if layer.synapse is None:
        return Limit(layer.label, "bias mantissas", *ends(*layer.current(steps)), 0, chip.MOST_BIAS, ENCODED)
    biases = layer.per_tick(steps) * scaling(layer).scale
    return Limit(layer.label, "bias mantissas", *ends(biases), -chip.MOST_BIAS, chip.MOST_BIAS, COARSER)


def currents_fit_24_bits(layer: Layer, steps: int) -> Limit | None:
    """The register of a synaptic current holds 2^6 times the current, and starts as far below it as it settles."""
    layer = in_chip_units(layer)
    if not isinstance(layer, Population) or layer.leak is None or not layer.leak.current_decay:
        return None
    low, high = layer.held(steps)
    settled = layer.most_charge if layer.synapse is None else np.abs(layer.per_tick(steps))
    bounds = (-chip.MOST_MEMBRANE, chip.MOST_MEMBRANE)
    return Limit(layer.label, "synaptic currents", *ends(low - settled, high + settled), *bounds, NARROWER)


LIMITS: tuple[LayerRule, ...] = (
    weights_fit_8_bit_mantissas,
    thresholds_fit,
    synaptic_sums_fit_16_bits,
    currents_fit_24_bits,
    membranes_fit_24_bits,
    biases_fit_13_bits,
)


def leaks_count_in_registers(network: Network) -> Iterable[str]:
    """Leaky populations in the units of the chip's registers."""
    for node in network.graph.of(LIF):
        if isinstance(node.op, LIF) and node.op.lingers and not node.op.steady:
            yield f"{node} has a synaptic current with a charge at every step; what it settles at expected {MADE}"
    for population in _populations(network):
        if reason := misfit(population, network.schedule.steps):
            yield f"{population.label}: {reason} {MADE}"


def one_threshold_in_a_leaky_layer(network: Network) -> Iterable[str]:
    """Where membranes leak or reset to zero, no initial membrane makes up for a threshold of one neuron."""
    for population in _populations(network):
        if population.leak is not None and np.ptp(population.theta):
            least, most = ends(in_chip_units(population).theta)
            advice = "one scale of weights for the whole layer (--weight-bits N --weight-scale layer)"
            found = f"{population.label} has thresholds from {least} to {most}, one a layer expected"
            yield f"{found}; {advice} or equal thresholds in the file"


def soft_resets_are_exact(network: Network) -> Iterable[str]:
    """A synapse from soma to dendrite takes off what the leak leaves of a threshold, in the tick after the spike."""
    other = "a reset to zero (--reset zero) or --chip loihi2, whose microcode subtracts at once, has a form"
    for population in map(in_chip_units, _populations(network)):
        leak = population.leak
        if leak is None or leak.reset == "zero":
            continue
        if leak.current_decay:
            yield f"{population.label} subtracts its threshold: that would come through its synaptic current; {other}"
        elif (population.theta * leak.decay % WHOLE).any():
            least, most = ends(population.theta)
            yield (
                f"{population.label} subtracts thresholds of {least} to {most} and keeps {leak.decay}/{WHOLE} of its "
                f"membrane: multiples of {grain(leak.decay)} expected (decays such as 1/2, 3/4, 7/8); {other}"
            )


def _populations(network: Network) -> tuple[Population, ...]:
    chain = chain_if_sound(network)
    return () if chain is None else chain.populations


RULES: tuple[DesignRule, ...] = (
    *STRUCTURE_OF_ALL,
    leaks_count_in_registers,
    one_threshold_in_a_leaky_layer,
    *map(in_every_layer, (*LIMITS, *LADDER_LIMITS)),
)
