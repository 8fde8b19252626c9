"""What the chip can hold of code `ladder`; weights and sums have the rules of code `if`."""

from __future__ import annotations

from onnx2snn.backends.chains import Layer, LayerRule, Limit, Population, ends
from onnx2snn.backends.tianjic import chip

COUNTS = 127  #: the largest int8
FEWER = "fewer inputs or fewer weight bits lower it"


def counts_fit_int8(layer: Layer, steps: int) -> Limit | None:
    """Passing units of a neuron are added up and sent as one int8."""
    if layer.synapse is None:
        return None
    return Limit(layer.synapse.label, "counts", 0, layer.synapse.units, 0, COUNTS, "coarser activations lower them")


def sums_fit_28_bits(layer: Layer, steps: int) -> Limit | None:
    """A membrane holds the sum of one tick; thresholds lie within the sums that can arrive."""
    if isinstance(layer, Population) or layer.synapse is None:
        return None
    low, high = layer.synapse.range()
    return Limit(layer.label, "states", *ends(low - 1, high), -chip.MOST_STATE, chip.MOST_STATE, FEWER)


LADDER_LIMITS: tuple[LayerRule, ...] = (counts_fit_int8, sums_fit_28_bits)
