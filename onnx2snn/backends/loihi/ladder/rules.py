"""What the chip can hold of code `ladder`; weights and sums have the rules of code `if`."""

from __future__ import annotations

from onnx2snn.backends.chains import Layer, LayerRule, Limit, UnitPopulation, ends
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.ladder.units import biases_of


def unit_biases_fit_13_bits(layer: Layer, steps: int) -> Limit | None:
    """Mantissas at exponent 7 at most, about a threshold in their middle; sums then stay far within 24 bits."""
    if not isinstance(layer, UnitPopulation) or layer.synapse is None:
        return None
    found = ends(biases_of(layer).mantissas)
    advice = "fewer inputs, fewer weight bits or fewer levels lower it"
    return Limit(layer.label, "bias mantissas", *found, -chip.MOST_BIAS, chip.MOST_BIAS, advice)


LADDER_LIMITS: tuple[LayerRule, ...] = (unit_biases_fit_13_bits,)
