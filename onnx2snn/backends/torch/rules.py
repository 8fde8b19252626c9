"""What the torch backend cannot take."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from onnx2snn.analysis.widths import is_integer, narrowest, widths
from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import (
    LINEAR,
    AveragePool,
    Clip,
    Conv,
    Dense,
    Encoder,
    Input,
    LeakyRelu,
    Maximum,
    MaxPool,
    Minimum,
    Multiply,
    Neuron,
    Quantise,
    Readout,
    Relu,
    Softmax,
    Steps,
    Unary,
)
from onnx2snn.reference import carries_constant, constant_nodes, tail_nodes

GraphRule = Callable[[Graph, int], Iterable[str]]  #: of a graph and the most ticks that it runs
SPIKING: tuple[type[Op], ...] = (Input, Encoder, MaxPool, Neuron, Readout, *LINEAR)
REAL: tuple[type[Op], ...] = (Unary, Softmax, LeakyRelu, Relu, Clip, Multiply, Minimum, Maximum, Quantise, Steps)
TAIL: tuple[type[Op], ...] = (MaxPool, AveragePool, *REAL, *LINEAR)  #: what may stand behind a readout


def spiking_ops_only(graph: Graph, ticks: int) -> Iterable[str]:
    """Every op is one of a spiking network, or of the real-valued tail behind its readouts."""
    tail = tail_nodes(graph)
    for node in graph:
        if node.name in tail:
            yield from _of_tail(graph, node, tail)
        elif not isinstance(node.op, SPIKING):
            yield f"{node}: {node.op.name} is no op of a spiking network"
    for output in graph.outputs:
        if not isinstance(graph[output].op, Readout) and output not in tail:
            yield f"{graph[output]}: the output is a {graph[output].op.name}, a readout expected"


def _of_tail(graph: Graph, node: Node, tail: frozenset[str]) -> Iterable[str]:
    if not isinstance(node.op, TAIL):
        yield f"{node}: {node.op.name} cannot stand behind a readout"
    for source in node.inputs:
        if source not in tail and not isinstance(graph[source].op, Readout):
            yield f"{node}: joins a readout with {source}, which needs one as well; pass add-readouts makes it"


def constants_at_neurons(graph: Graph, ticks: int) -> Iterable[str]:
    """No op between neurons adds a constant in every tick."""
    free = constant_nodes(graph) | tail_nodes(graph)
    for node in graph:
        if node.name not in free and carries_constant(node.op):
            yield f"{node}: carries a constant between neurons; pass collect-bias moves it"


def whole_numbers_fit(graph: Graph, ticks: int) -> Iterable[str]:
    """Whole currents are exact in float64, whole membranes in int64."""
    bits = widths(graph, ticks)
    for node in graph:
        number = narrowest(bits[node.name])
        if number is None or (number == "int64" and not isinstance(node.op, Neuron)):
            most = 62 if isinstance(node.op, Neuron) else 53
            yield f"{node}: {most} bits expected at most, found whole numbers of {bits[node.name]}; use --float"


def whole_units(graph: Graph, ticks: int) -> Iterable[str]:
    """In an integer network a spike is worth 1 and whole weights have no scale."""
    if not is_integer(graph):
        return
    tail = tail_nodes(graph)
    for node in [node for node in graph if node.name not in tail]:
        op = node.op
        if isinstance(op, Neuron) and not (op.integer and (op.value == 1).all()):
            yield f"{node}: whole neurons with value 1 expected, found value {op.value.ravel()[0]}"
        if isinstance(op, (Conv, Dense)) and op.weight.dtype.kind == "i" and op.scale is not None:
            yield f"{node}: whole weights expected, found a scale; pass make-integer moves it"


RULES: tuple[GraphRule, ...] = (spiking_ops_only, constants_at_neurons, whole_numbers_fit, whole_units)
