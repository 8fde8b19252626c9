"""Weights and thresholds that are not what they should be: a perturbed copy of a spiking graph."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from onnx2snn.ir import Array, Graph, Node, Op
from onnx2snn.ir.ops import Affine, Conv, Dense, Encoder, Neuron
from onnx2snn.reference import tail_nodes

LEAST = 1e-3  #: share of a threshold that is left of it at least, so that it stays positive


def real(graph: Graph) -> Graph:
    """The same network in real arithmetic: of a whole one the same numbers, membranes in units of 2^shift.

    Constant charge is then cut into equal real parts, which add up with rounding errors: ties may fall otherwise than
    in the whole network, and inexact codes fire at other ticks.
    """

    def change(made: Graph, node: Node) -> str | None:
        op = node.op
        if isinstance(op, Neuron):
            return made.add(node.name, _real_neuron(op), node.inputs, node.origin)
        return made.add(node.name, _floats(op), node.inputs, node.origin) if isinstance(op, LINEAR) else None

    return graph.rebuilt(change)


LINEAR = (Conv, Dense, Affine, Encoder)


def _floats(op: Op) -> Op:
    whole = {name: value for name, value in op.parameters().items() if isinstance(value, np.ndarray)}
    return replace(op, **{name: value.astype(np.float64) for name, value in whole.items() if value.dtype.kind == "i"})


def _real_neuron(op: Neuron) -> Neuron:
    if not op.integer:
        return op
    arrays = {field.name: getattr(op, field.name) for field in fields(op)}
    unit = float(1 << op.shift)
    changed = {
        name: value.astype(np.float64) / (1.0 if name == "value" else unit)
        for name, value in arrays.items()
        if isinstance(value, np.ndarray)
    }
    return replace(op, shift=0, **changed)


def perturbed(graph: Graph, weight: float, threshold: float, seed: int, repeat: int = 0) -> Graph:
    """The network in real arithmetic with w' = w (1 + weight g) and theta' = theta (1 + threshold g), g ~ N(0, 1).

    One g for each weight of every synapse that is not in the tail, and one for each neuron; the initial membrane stays.
    A threshold keeps a thousandth of itself at least. The same for a seed, a repeat and a graph.
    """
    tail = tail_nodes(graph)

    def change(made: Graph, node: Node) -> str | None:
        random = np.random.default_rng([seed, repeat, len(made)])
        op = node.op
        if node.name in tail:
            return None
        if isinstance(op, Neuron) and threshold:
            noise = np.maximum(1 + threshold * random.standard_normal(made.shape(node.inputs[0])), LEAST)
            return made.add(node.name, replace(op, theta=op.theta * noise), node.inputs, node.origin)
        if isinstance(op, (Conv, Dense)) and weight:
            return made.add(node.name, replace(op, weight=_noisy(op.weight, weight, random)), node.inputs, node.origin)
        if isinstance(op, Affine) and op.scale is not None and weight:
            return made.add(node.name, replace(op, scale=_noisy(op.scale, weight, random)), node.inputs, node.origin)
        return None

    return real(graph).rebuilt(change)


def _noisy(values: Array, sigma: float, random: np.random.Generator) -> Array:
    return values * (1 + sigma * random.standard_normal(values.shape))
