"""Spiking graph to NIR graph.

NIR carries no units: spikes are one high, so what a spike is worth goes into the weights that read it. A constant
that is injected in equal parts becomes a bias of 1 / T of it, given at every inject step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np

from onnx2snn.artifact import Network
from onnx2snn.backends.nir.homes import bias_homes
from onnx2snn.ir import Array, Graph, Node, Shape
from onnx2snn.ir.ops import Add, Affine, Conv, Dense, Encoder, Input, Neuron, Readout, Reshape, SumPool
from onnx2snn.table import Table


@dataclass
class Wire:
    """An output in NIR: `unit` is what one unit of it is worth, an array that broadcasts to the features."""

    name: str
    unit: Array


@dataclass
class Lowering:
    """The NIR graph being made."""

    graph: Graph
    steps: int
    nodes: dict[str, Any] = field(default_factory=dict[str, Any])
    edges: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    wires: dict[str, Wire] = field(default_factory=dict[str, Wire])

    def put(self, name: str, node: Any, *sources: str) -> str:
        """Adds a node that reads `sources`; several sources are added up, as edges are in NIR."""
        name = name.replace("/", ".")
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def shape(self, name: str) -> Shape:
        return self.graph.shape(name)

    def current(self, source: str, shape: Shape) -> str:
        """The wire in the network's own units: scaled where it is not yet."""
        wire = self.wires[source]
        if np.array_equal(np.unique(wire.unit), [1.0]):
            return wire.name
        scale = np.broadcast_to(wire.unit, shape).astype(np.float64)
        return self.put(f"{wire.name}.scale", nir.Scale(scale=scale), wire.name)


Rule = Callable[[Lowering, Node], Wire]
LOWER: Table[Rule] = Table("the NIR export")


def lower(network: Network) -> nir.NIRGraph:
    """The NIR graph of a network that the design rules let through."""
    made = Lowering(network.graph, network.schedule.steps)
    biases = bias_homes(network.graph)
    for node in network.graph:
        made.wires[node.name] = LOWER[type(node.op)](made, node)
    for owner, bias in biases.values():
        _give_bias(made, owner, bias / network.schedule.steps)
    return nir.NIRGraph(nodes=made.nodes, edges=made.edges, metadata=_metadata(network))


def _give_bias(made: Lowering, owner: str, bias: Array) -> None:
    node = made.nodes[made.wires[owner].name]
    node.bias = node.bias + np.broadcast_to(bias.reshape(-1) if bias.size > 1 else bias.ravel(), node.bias.shape)


def _metadata(network: Network) -> dict[str, Any]:
    schedule = network.schedule
    return {
        "made_by": "onnx2snn",
        "fidelity": "approximate",
        "code": network.code,
        "reset": "subtract",
        "dt": 1.0,
        "steps": schedule.steps,
        "settle": -1 if schedule.settle is None else schedule.settle,
        "input": "the constant current of one step: the encoded input divided by steps",
        "model": network.source.file,
        "model_sha256": network.source.sha256,
    }


# -- rules ----------------------------------------------------------------------------------------------------------


@LOWER.rule(Input, Encoder)
def _input(made: Lowering, node: Node) -> Wire:
    readers = made.graph.consumers(node.name)
    if isinstance(node.op, Input) and any(isinstance(reader.op, Encoder) for reader in readers):
        return Wire("", np.ones(()))
    name = made.put("input", nir.Input(input_type={"input": np.array(made.shape(node.name))}))
    return Wire(name, np.ones(()))


@LOWER.rule(Conv)
def _conv(made: Lowering, node: Node) -> Wire:
    op, (source,) = node.op, node.inputs
    assert isinstance(op, Conv)
    weight = _weight(op, made.wires[source].unit, axis=1)
    rank = len(op.kernel)
    size = made.shape(source)[1:]
    shared: dict[str, Any] = {"groups": op.groups, "bias": np.zeros(len(weight)), "weight": weight}
    if rank == 1:
        made_op = nir.Conv1d(
            input_shape=size[0], stride=op.strides[0], padding=op.pads[0], dilation=op.dilations[0], **shared
        )
    else:
        made_op = nir.Conv2d(
            input_shape=(size[0], size[1]),
            stride=(op.strides[0], op.strides[1]),
            padding=(op.pads[0], op.pads[1]),
            dilation=(op.dilations[0], op.dilations[1]),
            **shared,
        )
    return Wire(made.put(node.name, made_op, made.wires[source].name), np.ones(()))


@LOWER.rule(Dense)
def _dense(made: Lowering, node: Node) -> Wire:
    op, (source,) = node.op, node.inputs
    assert isinstance(op, Dense)
    weight = _weight(op, made.wires[source].unit, axis=1)
    affine = nir.Affine(weight=weight, bias=np.zeros(len(weight)))
    return Wire(made.put(node.name, affine, made.wires[source].name), np.ones(()))


def _weight(op: Conv | Dense, unit: Array, axis: int) -> Array:
    """Real weights per unit of input."""
    column = (-1,) + (1,) * (op.weight.ndim - 1)
    weight = op.weight.astype(np.float64) * (1.0 if op.scale is None else op.scale.reshape(column))
    if unit.size == 1:
        return weight * unit.item()
    row = [1] * op.weight.ndim
    row[axis] = -1
    return weight * unit.reshape(row)


@LOWER.rule(Affine)
def _affine(made: Lowering, node: Node) -> Wire:
    op, (source,) = node.op, node.inputs
    assert isinstance(op, Affine)
    wire = made.wires[source]
    return Wire(wire.name, wire.unit if op.scale is None else wire.unit * op.scale)


@LOWER.rule(Add)
def _add(made: Lowering, node: Node) -> Wire:
    sources = [made.current(source, made.shape(node.name)) for source in node.inputs]
    ones = np.ones(made.shape(node.name))
    return Wire(made.put(node.name, nir.Scale(scale=ones), *sources), np.ones(()))


@LOWER.rule(SumPool)
def _sum_pool(made: Lowering, node: Node) -> Wire:
    op, wire = node.op, made.wires[node.inputs[0]]
    assert isinstance(op, SumPool)
    pool = nir.SumPool2d(
        kernel_size=np.array(op.kernel), stride=np.array(op.strides), padding=np.array(op.pads[: len(op.kernel)])
    )
    return Wire(made.put(node.name, pool, wire.name), wire.unit)


@LOWER.rule(Reshape)
def _reshape(made: Lowering, node: Node) -> Wire:
    (source,) = node.inputs
    wire, shape = made.wires[source], made.shape(source)
    flatten = nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=-1)
    unit = wire.unit if wire.unit.size == 1 else np.broadcast_to(wire.unit, shape).reshape(-1)
    return Wire(made.put(node.name, flatten, wire.name), unit)


@LOWER.rule(*Neuron.__subclasses__())
def _neuron(made: Lowering, node: Node) -> Wire:
    op, shape = node.op, made.shape(node.name)
    assert isinstance(op, Neuron)
    neuron = nir.IF(
        r=np.ones(shape),
        v_threshold=np.broadcast_to(op.theta, shape).astype(np.float64),
        v_reset=np.zeros(shape),
        metadata={
            "reset": "subtract",
            "v0": np.broadcast_to(op.v0, shape).astype(np.float64),
            "spike_value": float(op.value) if op.value.size == 1 else op.value,
        },
    )
    return Wire(made.put(node.name, neuron, made.current(node.inputs[0], shape)), np.asarray(op.value, np.float64))


@LOWER.rule(Readout)
def _readout(made: Lowering, node: Node) -> Wire:
    shape = made.shape(node.name)
    output = nir.Output(output_type={"output": np.array(shape)})
    return Wire(made.put("output", output, made.current(node.inputs[0], shape)), np.ones(()))
