"""What the chip can hold, rule by rule; numbers on a layer's own grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from onnx2snn.artifact import Network
from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.chains import (
    STRUCTURE_OF_BOTH,
    Layer,
    LayerRule,
    Limit,
    Population,
    UnitPopulation,
    ends,
    in_every_layer,
    layers_if_sound,
)
from onnx2snn.backends.tianjic import chip
from onnx2snn.backends.tianjic.ladder.rules import LADDER_LIMITS

COARSER = "coarser activations or fewer --weight-bits lower it"
NO_MOVE = "vectors are only flattened, in front of a dense layer"


def weights_fit_int8(layer: Layer, steps: int) -> Limit | None:
    """Weights of one int8 for each copy of the input, of which a layer may take a few."""
    if layer.synapse is None:
        return None
    most = chip.WEIGHT * chip.MOST_REPEATS
    return Limit(
        layer.synapse.label,
        "weights",
        *ends(layer.synapse.weight << layer.shift),
        -most,
        most,
        "--weight-bits 8 or fewer helps",
    )


def sums_fit_32_bits(layer: Layer, steps: int) -> Limit | None:
    """Neither bias nor any partial sum may reach the ends of the accumulator, where it saturates."""
    if layer.synapse is None:
        return None
    weight = layer.synapse.weight << layer.shift
    rows = np.abs(weight).reshape(len(weight), -1).sum(axis=1) * layer.synapse.units
    bias = np.abs(layer.per_tick(steps)) if isinstance(layer, Population) else np.zeros(1, np.int64)
    largest = rows.max() + bias.max()
    return Limit(
        layer.synapse.label, "sums in one tick", *ends(-largest, largest), -chip.MOST_SUM, chip.MOST_SUM, COARSER
    )


def states_fit_28_bits(layer: Layer, steps: int) -> Limit | None:
    """Membrane, one higher than the network's, and threshold."""
    if isinstance(layer, UnitPopulation):
        return None
    low, high = layer.membrane(steps)
    theta = layer.theta if isinstance(layer, Population) else np.zeros(1, np.int64)
    return Limit(layer.label, "states", *ends(low, high + 1, theta), -chip.MOST_STATE, chip.MOST_STATE, COARSER)


LIMITS: tuple[LayerRule, ...] = (weights_fit_int8, sums_fit_32_bits, states_fit_28_bits)


def convolutions_have_two_axes(network: Network) -> Iterable[str]:
    """P41 goes over y and x."""
    for layer in layers_if_sound(network):
        synapse = layer.synapse
        if synapse is not None and synapse.geometry.kind == "conv" and len(synapse.geometry.strides) != 2:
            yield f"{synapse.label} goes over {len(synapse.geometry.strides)} axes, 2 expected; add an axis of size 1"


def reshape_only_flattens(network: Network) -> Iterable[str]:
    """Vectors lie channels last in memory; any other reshape would have to move them."""
    for layer in layers_if_sound(network):
        synapse = layer.synapse
        if synapse is None:
            continue
        source, reads, makes = synapse.geometry.source, synapse.geometry.reads, synapse.geometry.makes
        if synapse.geometry.kind == "conv" and not chip.same_memory(source, reads):
            yield f"{synapse.label} reads {source} reshaped to {reads}; {NO_MOVE}"
        if not chip.same_memory(makes, layer.shape):
            yield f"{synapse.label} is followed by a reshape of {makes} to {layer.shape}; {NO_MOVE}"


def biases_are_per_channel(network: Network) -> Iterable[str]:
    """P41 has one bias for all places of a channel."""
    for layer in layers_if_sound(network):
        if layer.synapse is None or isinstance(layer, UnitPopulation):
            continue
        bias = layer.per_tick(network.schedule.steps).reshape(len(layer.synapse.weight), -1)
        if np.ptp(bias, axis=1).any():
            yield f"{layer.label} has biases that vary within a channel; shift its input before it is padded"


RULES: tuple[DesignRule, ...] = (
    *STRUCTURE_OF_BOTH,
    *map(in_every_layer, (*LIMITS, *LADDER_LIMITS)),
    convolutions_have_two_axes,
    reshape_only_flattens,
    biases_are_per_channel,
)
