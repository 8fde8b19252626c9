"""Constants of linear ops move to the neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import ClassVar, final

import numpy as np

from onnx2snn.errors import PassError, located
from onnx2snn.ir import Array, Graph, Node, Op
from onnx2snn.ir.ops import (
    LINEAR,
    Add,
    Affine,
    Conv,
    Dense,
    Encoder,
    Input,
    MaxPool,
    Neuron,
    Readout,
    Staircase,
)
from onnx2snn.passes.base import Pass
from onnx2snn.passes.hints import HINTS
from onnx2snn.reference import apply, tail_nodes


@final
@dataclass(frozen=True)
class CollectBias(Pass):
    """Gathers what biases and shifts add up to and injects it in one place.

    given:   linear ops with biases between staircases
    result:  linear ops without constants; one Affine(shift) in front of each staircase and encoder that has any, and
             the bias of each readout; what stands behind a readout stays as it is
    """

    name: ClassVar[str] = "collect-bias"

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        tail = tail_nodes(graph)
        nodes = [node for node in graph if node.name not in tail]
        _refuse_others(nodes)
        constants = constants_of(graph, nodes)
        for node in nodes:
            graph.replace(node.name, bare(node))
        for node in nodes:
            if isinstance(node.op, (Staircase, Encoder)):
                shift = constants[node.inputs[0]]
                if shift.any():
                    graph.insert_before(node.name, Affine(shift=shift), f"{node.name}.bias")
            elif isinstance(node.op, Readout):
                graph.replace(node.name, replace(node.op, bias=node.op.bias + constants[node.inputs[0]]))
        drop_empty(graph, tail)
        return graph


def _refuse_others(nodes: list[Node]) -> None:
    """Only linear ops, max-pools and staircases can follow the input; every other node is named."""
    allowed = (Input, Staircase, Encoder, MaxPool, Readout, *LINEAR)
    others = [node for node in nodes if not isinstance(node.op, allowed)]
    if others:
        reasons = [f"{node}: {HINTS.get(type(node.op), 'has no spiking form here')}" for node in others]
        raise PassError("", reasons)


def constants_of(graph: Graph, nodes: Sequence[Node]) -> dict[str, Array]:
    """What each of these nodes, in order, puts out when nothing spikes, as small as it broadcasts."""
    constants: dict[str, Array] = {}
    for node in nodes:
        with located(node):
            constants[node.name] = _constant(graph, node, constants)
    return constants


def _constant(graph: Graph, node: Node, constants: dict[str, Array]) -> Array:
    if isinstance(node.op, (Input, Staircase, Encoder, Neuron, Readout)):
        return np.zeros(())
    arriving = [constants[source] for source in node.inputs]
    if isinstance(node.op, MaxPool):
        if any(size != 1 for size in arriving[0].shape[1:]):
            raise PassError("a constant that varies within a channel reaches a max-pool; move the shift behind it")
        return arriving[0]
    if not any(a.any() for a in arriving):
        return _own(node.op, len(graph.shape(node.name)))
    if isinstance(node.op, Add):
        total = reduce(np.add, arriving)
        return np.broadcast_to(total, (graph.shape(node.name)[0], *total.shape[1:]))
    full = [np.broadcast_to(a, graph.shape(s))[None] for a, s in zip(arriving, node.inputs, strict=True)]
    return _small(apply(node.op, *full)[0])


def _own(op: Op, rank: int) -> Array:
    """The constant that an op adds by itself, with all `rank` axes of its output."""
    if isinstance(op, Conv) and op.bias is not None:
        return op.bias.reshape(-1, *(1,) * (rank - 1))
    found = op.bias if isinstance(op, Dense) else op.shift if isinstance(op, Affine) else None
    return np.zeros(()) if found is None else found.reshape((1,) * (rank - found.ndim) + found.shape)


def _small(array: Array) -> Array:
    """Axes after the first along which nothing changes shrink to one."""
    for axis in range(1, array.ndim):
        if not np.ptp(array, axis=axis).any():
            array = array.take([0], axis=axis)
    return array


def bare(node: Node) -> Op:
    """The op without a constant of its own."""
    op = node.op
    if isinstance(op, (Conv, Dense)):
        return replace(op, bias=None)
    if isinstance(op, Affine):
        return replace(op, shift=None)
    return op


def drop_empty(graph: Graph, tail: frozenset[str]) -> None:
    """Removes what has neither scale nor shift any more."""
    for node in graph.of(Affine):
        if node.name not in tail and isinstance(node.op, Affine) and node.op.scale is None and node.op.shift is None:
            graph.remove(node.name, use=graph[node.name].inputs[0])
