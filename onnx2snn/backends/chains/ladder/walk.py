"""The walk over a graph of code `ladder` that is a chain."""

from __future__ import annotations

import numpy as np

from onnx2snn.backends.chains.connections import Connections
from onnx2snn.backends.chains.layers import LadderChain, Output, Synapse, UnitPopulation
from onnx2snn.backends.chains.walk import (
    check_chain,
    host_of,
    is_gain,
    readout_of,
    source_of,
    synapse_of,
)
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import Affine, Ladder
from onnx2snn.reference import constant_nodes

BEYOND = 1 << 48  #: no sum gets so far


def ladder_of(graph: Graph) -> LadderChain:
    """The chain that a graph of code `ladder` is; raises `BackendError` where it is none."""
    check_chain(graph)
    constant = constant_nodes(graph)
    populations = tuple(_population(graph, node, node.inputs[0] in constant) for node in graph.of(Ladder))
    return LadderChain(host_of(graph), populations, _output(graph, graph[graph.outputs[0]]))


def canonical(breakpoints: Array, low: Array, high: Array, grid: int = 1) -> Array:
    """The least sum at which each unit passes, among the multiples of `grid` that can arrive.

    breakpoints: int64 (units, targets).  low, high: least and greatest sum of each target, multiples of `grid`.
    A unit that always passes gets the least sum, one that never does the first multiple beyond the greatest.
    """
    return np.clip(-(-breakpoints // grid) * grid, low, high + grid)


def _population(graph: Graph, node: Node, first: bool) -> UnitPopulation:
    op, shape = node.op, graph.shape(node.name)
    assert isinstance(op, Ladder)
    breakpoints = op.unit_thresholds()
    units, *channels = breakpoints.shape
    breakpoints = breakpoints.reshape(units, *(1,) * (len(shape) - len(channels)), *channels)
    synapse = None if first else synapse_of(graph, node)
    before = graph[node.inputs[0]]
    if synapse is not None and is_gain(graph, before):
        assert isinstance(before.op, Affine)
        assert before.op.scale is not None
        breakpoints = _undone(before.op.scale, breakpoints)
    every = np.broadcast_to(breakpoints, (units, *shape)).reshape(units, -1)
    if synapse is not None:
        every = every - _below_zero(synapse, source_of(graph, node))
    return UnitPopulation(node.name, str(node), shape, synapse, every.astype(np.int64), op.lo)


def _undone(gain: Array, breakpoints: Array) -> Array:
    """The least whole x with gain x at the breakpoint or above; beyond all sums where the gain is 0."""
    least = -(-breakpoints // np.maximum(gain, 1))
    return np.where(gain > 0, least, np.where(breakpoints > 0, BEYOND, -BEYOND))


def _output(graph: Graph, node: Node) -> Output:
    synapse = synapse_of(graph, node)
    scale, bias = readout_of(graph, node)
    constant = _below_zero(synapse, source_of(graph, node))
    return Output(node.name, str(node), graph.shape(node.name), synapse, scale, bias, constant)


def _below_zero(synapse: Synapse, source: Node) -> Array:
    """What every target gets where all counts of the source are `lo`, int64 (targets,); padding has no counts."""
    assert isinstance(source.op, Ladder)
    if source.op.lo == 0:
        return np.zeros(int(np.prod(synapse.geometry.makes)), np.int64)
    ones = np.ones((1, int(np.prod(synapse.geometry.source))), np.int64)
    return source.op.lo * Connections(synapse.geometry, synapse.weight).sum(ones)[0]
