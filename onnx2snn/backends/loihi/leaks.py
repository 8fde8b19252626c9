"""Leaky populations as the chip's registers count them.

Decays are cut toward zero in the registers, which hold 2^6 chip units, so a leaky population of the network counts in
2^-6 of a chip unit as well: its charges, initial membranes and biases are multiples of 2^6, and what it loses in a
tick is the very number that the chip loses. Thresholds are

    2^6 m + 1  for a reset to zero: the chip fires at v > 2^6 m;
    2^6 m      for a reset that subtracts: the soma adds 1 - 2^6 and fires at v + 1 - 2^6 > 2^6 (m - 1).

A reset that subtracts reaches a dendrite with what arrives in the next tick, behind the leak. With D of 4096 kept,
D m / 4096 has to go off then, a whole number where m is a multiple of 4096 / gcd(D, 4096); then it is exact: v >= 2^6 m
at a spike, so D v and D (v - 2^6 m) have the same sign and the same fraction is cut off both. Behind a synaptic current
it has no form, for it would come through that current and fade with it. Microcode (Loihi 2) takes m off at once.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from typing import overload

import numpy as np

from onnx2snn.backends.chains import Chain, Layer, Leak, Population, Synapse, chain_of, synapse_of
from onnx2snn.backends.chains.layers import WHOLE
from onnx2snn.backends.loihi import chip
from onnx2snn.errors import PassError, located
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import LIF, Encoder, whole_decay
from onnx2snn.reference import constant_nodes, cut

GAIN = 1 << chip.GAIN_BITS
NEAR = 1 / 64  #: of a threshold, at most how far it moves to a multiple that a reset can take off


def grain(decay: int) -> int:
    """What thresholds in chip units are multiples of so that a whole number of them is left after a leak."""
    return WHOLE // gcd(decay, WHOLE)


@overload
def in_chip_units(layer: Population) -> Population: ...
@overload
def in_chip_units(layer: Layer) -> Layer: ...
def in_chip_units(layer: Layer) -> Layer:
    """A leaky population in chip units, its threshold one above the largest membrane mantissa that does not fire.

    Anything else as it is.
    """
    if not isinstance(layer, Population) or layer.leak is None:
        return layer
    return replace(
        layer,
        theta=-(-layer.theta >> chip.GAIN_BITS),
        v0=layer.v0 >> chip.GAIN_BITS,
        bias=cut(layer.bias, GAIN),
        shift=max(layer.shift - chip.GAIN_BITS, 0),
    )


def chip_chain_of(graph: Graph) -> Chain:
    """The chain that `graph` is, leaky populations in chip units."""
    return chip_chain(chain_of(graph))


def chip_chain(chain: Chain) -> Chain:
    """The same of a chain."""
    return replace(chain, populations=tuple(map(in_chip_units, chain.populations)))


def misfit(population: Population, steps: int) -> str:
    """Why a leaky population does not count in what the registers count in, "" where it does."""
    leak = population.leak
    if leak is None:
        return ""
    weights = None if population.synapse is None else population.synapse.weight << max(population.shift - 6, 0)
    if population.shift < chip.GAIN_BITS or (weights is not None and chip.scaling_of(weights).scale != 1):
        return "its weights are no even numbers of chip units"
    if (population.v0 % GAIN).any() or (population.bias % (GAIN * steps)).any():
        return "its membranes or biases are no whole numbers of chip units in every tick"
    if (population.theta % GAIN != (1 if leak.reset == "zero" else 0)).any():
        return "its thresholds lie between those of the chip"
    return ""


def on_registers(graph: Graph, steps: int, version: chip.Chip, notes: list[str]) -> Graph:
    """A chain of leaky neurons in whole numbers (fine ones) as the registers count it; `graph` is changed in place."""
    constant = constant_nodes(graph)
    for node in graph.of(LIF):
        with located(node):
            if isinstance(graph[node.inputs[0]].op, Encoder):
                _driven(graph, node, steps, version)
            else:
                fed = None if node.inputs[0] in constant else synapse_of(graph, node)
                _fed(graph, node, fed, steps, version, notes)
    return graph


def _driven(graph: Graph, node: Node, steps: int, version: chip.Chip) -> None:
    """A first population with a real-valued current: its encoder can read that in any unit."""
    op, source = node.op, graph[node.inputs[0]]
    assert isinstance(op, LIF)
    assert isinstance(source.op, Encoder)
    settles = 1 - whole_decay(op.current_decay) / WHOLE
    most = int(chip.MOST_BIAS * settles) - 1  # a bias reaches one more, or to what settles there
    if _through_synapse(op, version):
        most = most // grain(whole_decay(op.decay)) * grain(whole_decay(op.decay)) or most
    if most < 1:
        raise PassError(f"a synaptic current that keeps {op.current_decay:.6g} a tick settles beyond 13-bit biases")
    unit = op.theta / most
    graph.replace(source.name, replace(source.op, scale=source.op.scale * unit * settles))
    theta = np.full(op.theta.shape, most, np.int64)
    graph.replace(node.name, _placed(op, theta, np.rint(op.v0 / unit), op.bias / steps / unit, 0, steps))


def _fed(graph: Graph, node: Node, synapse: Synapse | None, steps: int, version: chip.Chip, notes: list[str]) -> None:
    """A population that whole numbers reach, through a synapse or (None) from the host."""
    op = node.op
    assert isinstance(op, LIF)
    if not op.leaks and op.reset == "subtract":
        return
    if synapse is None and op.lingers:
        raise PassError(
            "a synaptic current behind a quantised input; a real-valued one can be read as what it settles at"
        )
    scale = 1 if synapse is None else chip.scaling_of(synapse.weight << op.shift).scale
    theta = op.theta * scale
    if _through_synapse(op, version):
        theta = _takeable(node, op, theta, notes)
    elif not op.leaks:
        theta = theta - 1  # membranes are whole numbers of chip units: they pass where they reach it
    v0, bias = op.v0 * scale, op.bias / steps * scale
    graph.replace(node.name, _placed(op, np.maximum(theta, 1), v0, bias, op.shift + scale - 1, steps))


def _through_synapse(op: LIF, version: chip.Chip) -> bool:
    """Whether a synapse takes the threshold off a leaky membrane."""
    return op.reset == "subtract" and op.leaks and version == "loihi1"


def _takeable(node: Node, op: LIF, theta: Array, notes: list[str]) -> Array:
    """Thresholds that a reset can take off exactly behind the leak; the same where those are too far."""
    grid = grain(whole_decay(op.decay))
    near = np.maximum(np.rint(theta / grid).astype(np.int64), 1) * grid
    moved = float(np.max(np.abs(near - theta) / theta))
    if not 0 < moved <= NEAR:
        return theta
    notes.append(f"{node}: thresholds moved by {moved:.2%} to multiples of {grid}, which a reset can take off")
    return near


def _placed(op: LIF, theta: Array, v0: Array, bias: Array, shift: int, steps: int) -> LIF:
    """The neuron in register units.  theta, v0, bias (real, of one tick): in chip units, theta a mantissa."""
    if op.lingers:
        bias = bias / (1 - op.current_decay)
    plain = not op.leaks and op.reset == "subtract"
    gain = 1 if plain else GAIN
    return replace(
        op,
        theta=theta * gain + (op.reset == "zero"),
        v0=v0.astype(np.int64) * gain,
        bias=np.rint(bias).astype(np.int64) * gain * steps,
        shift=shift + (0 if plain else chip.GAIN_BITS),
        steady=op.lingers,
    )


def taken_off(theta: Array, leak: Leak | None, version: chip.Chip) -> Array:
    """What a soft reset takes off for thresholds in chip units: behind the leak, where a synapse brings it."""
    return theta if leak is None or version == "loihi2" else theta * leak.decay // WHOLE


def thresholds(taken: Array, leak: Leak | None, version: chip.Chip) -> Array:
    """The thresholds for which so much is taken off."""
    return taken if leak is None or version == "loihi2" else taken * WHOLE // max(leak.decay, 1)
