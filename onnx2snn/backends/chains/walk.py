"""The walk over a spiking graph that is a chain: host part, populations, synapses, readout."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.backends.chains.layers import Chain, Leak, Output, Population, Synapse
from onnx2snn.errors import BackendError
from onnx2snn.ir import Array, Graph, Node, Shape
from onnx2snn.ir.ops import LIF, Affine, Conv, Dense, Ladder, MaxPool, Neuron, Readout, Reshape, SumPool, whole_decay
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
    elif not isinstance(op, (Neuron, Readout, Reshape, MaxPool, *WEIGHTED)) and not is_gain(graph, node):
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


def is_gain(graph: Graph, node: Node) -> bool:
    """Whether a node is a whole factor, not negative, of what a population of code `ladder` reads."""
    op = node.op
    if not isinstance(op, Affine) or op.scale is None or op.scale.dtype.kind != "i" or op.shift is not None:
        return False
    if (op.scale < 0).any():
        return False
    return all(isinstance(reader.op, Ladder) for reader in graph.consumers(node.name))


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
    """The chain of neurons, leaky or not, that `graph` is; raises `BackendError` where it is none."""
    check_chain(graph)
    constant = constant_nodes(graph)
    populations = tuple(_population(graph, node, constant) for node in graph.of(Neuron))
    return Chain(host_of(graph), populations, _output(graph, graph[graph.outputs[0]]))


def check_chain(graph: Graph) -> None:
    """Raises `BackendError` where a graph is no chain."""
    wrong = [*problems(graph), *(f"{n}: a max-pool" for n in graph.of(MaxPool) if n.name not in constant_nodes(graph))]
    if wrong:
        raise BackendError("a chain network expected", wrong)


def host_of(graph: Graph) -> Graph:
    """What lies before the first population of a chain."""
    constant = constant_nodes(graph)
    first = next(node for node in graph.of(Neuron) if node.inputs[0] in constant)
    host = graph.copy()
    host.outputs = (first.inputs[0],)
    host.prune()
    return host


def _population(graph: Graph, node: Node, constant: frozenset[str]) -> Population:
    op = node.op
    assert isinstance(op, Neuron)
    shape = graph.shape(node.name)
    synapse = None if node.inputs[0] in constant else synapse_of(graph, node)
    theta, v0, bias = (np.broadcast_to(a, shape).reshape(-1).astype(np.int64) for a in (op.theta, op.v0, op.bias))
    return Population(node.name, str(node), shape, synapse, theta, v0, bias, op.shift, _leak(op))


def _leak(op: Neuron) -> Leak | None:
    if not isinstance(op, LIF) or (not op.leaks and op.reset == "subtract"):
        return None
    return Leak(whole_decay(op.decay), whole_decay(op.current_decay), op.reset)


def _output(graph: Graph, node: Node) -> Output:
    shape = graph.shape(node.name)
    scale, bias = readout_of(graph, node)
    return Output(node.name, str(node), shape, synapse_of(graph, node), scale, bias, np.zeros(len(scale), np.int64))


def readout_of(graph: Graph, node: Node) -> tuple[Array, Array]:
    """Scale and bias of a readout, float64 (outputs,)."""
    op, shape = node.op, graph.shape(node.name)
    assert isinstance(op, Readout)
    scale, bias = (np.broadcast_to(a, shape).reshape(-1).astype(np.float64) for a in (op.scale, op.bias))
    return scale, bias


def source_of(graph: Graph, node: Node) -> Node:
    """The population that feeds a node of the chain."""
    path = list(_back(graph, graph[node.inputs[0]]))
    return graph[path[-1].inputs[0] if path else node.inputs[0]]


def synapse_of(graph: Graph, node: Node) -> Synapse:
    """What lies between a population or readout and the population before it."""
    path = list(_back(graph, graph[node.inputs[0]]))
    before = source_of(graph, node)
    assert isinstance(before.op, Neuron)
    source, units = graph.shape(before.name), before.op.most_at_once
    weighted = next((step for step in path if isinstance(step.op, WEIGHTED)), None)
    if weighted is None:
        return _identity(node, source, units)
    op, reads, makes = weighted.op, graph.shape(weighted.inputs[0]), graph.shape(weighted.name)
    if isinstance(op, Dense):
        geometry = Geometry(kind="dense", source=source, reads=reads, makes=makes)
        return Synapse(weighted.name, str(weighted), op.weight.astype(np.int64), geometry, units)
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
    return Synapse(weighted.name, str(weighted), weight, geometry, units)


def _identity(node: Node, shape: Shape, units: int) -> Synapse:
    """One connection of weight 1 from each neuron to its successor: no linear op stands between."""
    name, rank = f"{node.name}.identity", len(shape) - 1
    if rank < 1:
        geometry = Geometry(kind="dense", source=shape, reads=shape, makes=shape)
        return Synapse(name, str(node), np.eye(int(np.prod(shape)), dtype=np.int64), geometry, units)
    unit, none = (1,) * rank, (0,) * (2 * rank)
    geometry = Geometry(
        kind="conv", source=shape, reads=shape, makes=shape, strides=unit, pads=none, dilations=unit, groups=shape[0]
    )
    return Synapse(name, str(node), np.ones((shape[0], 1, *unit), np.int64), geometry, units)
