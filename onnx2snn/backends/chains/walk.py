"""The walk over a spiking graph that is a chain: host part, populations, synapses, readout."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.backends.chains.layers import Chain, Output, Population, Synapse
from onnx2snn.errors import BackendError
from onnx2snn.ir import Graph, Node, Shape
from onnx2snn.ir.ops import Conv, Dense, MaxPool, Neuron, Readout, Reshape, SumPool
from onnx2snn.reference import constant_nodes, tail_nodes

WEIGHTED = (Conv, Dense, SumPool)


# -- is it a chain? --------------------------------------------------------------------------------------------------


def problems(graph: Graph) -> Iterator[str]:
    """One sentence for each place where `graph` is no chain; max-pools on the way have a rule of their own."""
    constant = constant_nodes(graph)
    neurons = graph.of(Neuron)
    if not neurons:
        yield "it has no neuron population, so nothing of it runs on the chip; quantise its activations"
    first = [node.name for node in neurons if node.inputs[0] in constant]
    if len(first) > 1:
        yield f"the input reaches {' and '.join(first)} without a neuron between; one first population expected"
    tail = tail_nodes(graph)
    for node in graph:
        if node.name in tail:
            yield f"{node} stays real-valued behind the readout; cut it off before export"
        elif node.name not in constant:
            yield from _misfits(graph, node)
    for name in graph.outputs:
        if name not in tail and (not isinstance(graph[name].op, Readout) or len(graph.outputs) > 1):
            yield f"{graph[name]} is an output; one readout expected"


def _misfits(graph: Graph, node: Node) -> Iterator[str]:
    op = node.op
    readers = () if isinstance(op, Readout) else graph.consumers(node.name)
    branches = len(node.inputs)
    if branches > 1:
        yield f"{node} joins {branches} branches; only chains can be written so far"
    elif not isinstance(op, (Neuron, Readout, Reshape, MaxPool, *WEIGHTED)):
        yield f"{node} between populations has no form on the chip"
    if len(readers) > 1:
        yield f"{node} feeds {len(readers)} ops; only chains can be written so far"
    if isinstance(op, (Conv, Dense)):
        if op.weight.dtype.kind != "i" or op.scale is not None or op.bias is not None:
            yield f"{node} has real weights or constants; whole numbers expected (quantised, or --weight-bits 8)"
        if isinstance(op, Dense) and len(graph.shape(node.inputs[0])) > 1:
            yield f"{node} is a matrix product over {graph.shape(node.inputs[0])}; one axis expected"
    if isinstance(op, WEIGHTED) and _weighted_before(graph, node):
        yield f"{node} follows another linear op; a neuron between them expected"


def _weighted_before(graph: Graph, node: Node) -> bool:
    path = list(_back(graph, graph[node.inputs[0]]))
    return any(isinstance(step.op, WEIGHTED) for step in path)


def _back(graph: Graph, node: Node) -> Iterator[Node]:
    """The nodes from `node` back to a population (left out) or the input."""
    while not isinstance(node.op, Neuron):
        yield node
        if not node.inputs:
            return
        node = graph[node.inputs[0]]


# -- the chain -------------------------------------------------------------------------------------------------------


def chain_of(graph: Graph) -> Chain:
    """The chain that `graph` is; raises `BackendError` where it is none."""
    wrong = [*problems(graph), *(f"{n}: a max-pool" for n in graph.of(MaxPool) if n.name not in constant_nodes(graph))]
    if wrong:
        raise BackendError(f"a chain network expected: {'; '.join(wrong)}")
    constant = constant_nodes(graph)
    populations = tuple(_population(graph, node, constant) for node in graph.of(Neuron))
    first = next(node for node in graph.of(Neuron) if node.inputs[0] in constant)
    return Chain(_host(graph, first.inputs[0]), populations, _output(graph, graph[graph.outputs[0]]))


def _host(graph: Graph, accumulator: str) -> Graph:
    host = graph.copy()
    host.outputs = (accumulator,)
    host.prune()
    return host


def _population(graph: Graph, node: Node, constant: frozenset[str]) -> Population:
    op = node.op
    assert isinstance(op, Neuron)
    shape = graph.shape(node.name)
    synapse = None if node.inputs[0] in constant else _synapse(graph, node)
    theta, v0, bias = (np.broadcast_to(a, shape).reshape(-1).astype(np.int64) for a in (op.theta, op.v0, op.bias))
    return Population(node.name, str(node), shape, synapse, theta, v0, bias, op.shift)


def _output(graph: Graph, node: Node) -> Output:
    op = node.op
    assert isinstance(op, Readout)
    shape = graph.shape(node.name)
    scale, bias = (np.broadcast_to(a, shape).reshape(-1).astype(np.float64) for a in (op.scale, op.bias))
    return Output(node.name, str(node), shape, _synapse(graph, node), scale, bias)


def _synapse(graph: Graph, node: Node) -> Synapse:
    path = list(_back(graph, graph[node.inputs[0]]))
    source = graph.shape(path[-1].inputs[0] if path else node.inputs[0])
    weighted = next((step for step in path if isinstance(step.op, WEIGHTED)), None)
    if weighted is None:
        return _identity(node, source)
    op, reads, makes = weighted.op, graph.shape(weighted.inputs[0]), graph.shape(weighted.name)
    if isinstance(op, Dense):
        geometry = Geometry(kind="dense", source=source, reads=reads, makes=makes)
        return Synapse(weighted.name, str(weighted), op.weight.astype(np.int64), geometry)
    assert isinstance(op, (Conv, SumPool))
    weight = np.ones((reads[0], 1, *op.kernel), np.int64) if isinstance(op, SumPool) else op.weight.astype(np.int64)
    geometry = Geometry(
        kind="conv",
        source=source,
        reads=reads,
        makes=makes,
        strides=op.strides,
        pads=op.pads,
        dilations=op.dilations,
        groups=reads[0] if isinstance(op, SumPool) else op.groups,
    )
    return Synapse(weighted.name, str(weighted), weight, geometry)


def _identity(node: Node, shape: Shape) -> Synapse:
    """One connection of weight 1 from each neuron to its successor: no linear op stands between."""
    name, rank = f"{node.name}.identity", len(shape) - 1
    if rank < 1:
        geometry = Geometry(kind="dense", source=shape, reads=shape, makes=shape)
        return Synapse(name, str(node), np.eye(int(np.prod(shape)), dtype=np.int64), geometry)
    unit, none = (1,) * rank, (0,) * (2 * rank)
    geometry = Geometry(
        kind="conv", source=shape, reads=shape, makes=shape, strides=unit, pads=none, dilations=unit, groups=shape[0]
    )
    return Synapse(name, str(node), np.ones((shape[0], 1, *unit), np.int64), geometry)
