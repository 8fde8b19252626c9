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
from onnx2snn.backends.nir.homes import bias_homes, said
from onnx2snn.ir import Array, Graph, Node, Shape
from onnx2snn.ir.ops import Add, Affine, Conv, Dense, Encoder, Input, Neuron, Readout, Reshape, SumPool
from onnx2snn.table import Table

INPUT, OUTPUT = "input", "output"
ONE = np.ones(())


@dataclass
class Wire:
    """An output in NIR: `unit` is what one unit of it is worth, an array that broadcasts to the features."""

    name: str
    unit: Array = field(default_factory=lambda: ONE)


@dataclass
class Lowering:
    """The NIR graph being made."""

    graph: Graph
    nodes: dict[str, Any] = field(default_factory=dict[str, Any])
    edges: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    wires: dict[str, Wire] = field(default_factory=dict[str, Wire])

    def put(self, name: str, node: Any, *sources: str) -> str:
        """Adds a node under `name`, or `name.2` ... where it is taken; several sources are added up, as in NIR."""
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def fresh(self, name: str) -> str:
        """A name for a node: "/" would open a group of the file, and the two ends have names of their own."""
        plain = name.replace("/", ".")
        taken = {*self.nodes, INPUT, OUTPUT}
        return next(n for n in (plain, *(f"{plain}.{i}" for i in range(2, len(taken) + 3))) if n not in taken)

    def shape(self, name: str) -> Shape:
        return self.graph.shape(name)

    def current(self, wire: Wire, shape: Shape) -> str:
        """The wire in the network's own units: scaled where it is not yet."""
        if (wire.unit == 1).all():
            return wire.name
        scale = np.broadcast_to(wire.unit, shape).astype(np.float64)
        return self.put(self.fresh(f"{wire.name}.scale"), nir.Scale(scale=scale), wire.name)


Rule = Callable[[Lowering, Node], Wire]
LOWER: Table[Rule] = Table("the NIR export")


def lower(network: Network) -> nir.NIRGraph:
    """The NIR graph of a network that the design rules let through."""
    made, steps = Lowering(network.graph), network.schedule.steps
    for node in said(network.graph):
        made.wires[node.name] = LOWER[type(node.op)](made, node)
    for owner, bias in bias_homes(network.graph).values():
        carrier = made.nodes[made.wires[owner].name]
        carrier.bias = carrier.bias + np.broadcast_to(bias.reshape(-1) / steps, carrier.bias.shape)
    return nir.NIRGraph(nodes=made.nodes, edges=made.edges, metadata=_metadata(network))


def _metadata(network: Network) -> dict[str, Any]:
    return {
        "made_by": "onnx2snn",
        "fidelity": "approximate",
        "note": "a neuron fires where v >= v_threshold, then subtracts v_threshold; it starts from v0 of its metadata",
        "code": network.code,
        "reset": "subtract",
        "dt": 1.0,
        "steps": network.schedule.steps,
        "input": "the constant current of one step: the encoded input divided by steps",
        "model": network.source.file,
        "model_sha256": network.source.sha256,
    }


# -- rules ----------------------------------------------------------------------------------------------------------


@LOWER.rule(Input, Encoder)
def _input(made: Lowering, node: Node) -> Wire:
    return Wire(made.put(INPUT, nir.Input(input_type={"input": np.array(made.shape(node.name))})))


@LOWER.rule(Conv)
def _conv(made: Lowering, node: Node) -> Wire:
    op, (source,) = node.op, node.inputs
    assert isinstance(op, Conv)
    name, weight = _joined(made, op, source)
    rank, size = len(op.kernel), made.shape(source)[1:]
    shared: dict[str, Any] = {"groups": 1, "bias": np.zeros(len(weight)), "weight": weight}
    if rank == 1:
        layer = nir.Conv1d(
            input_shape=size[0], stride=op.strides[0], padding=op.pads[0], dilation=op.dilations[0], **shared
        )
    else:
        layer = nir.Conv2d(
            input_shape=(size[0], size[1]),
            stride=(op.strides[0], op.strides[1]),
            padding=(op.pads[0], op.pads[1]),
            dilation=(op.dilations[0], op.dilations[1]),
            **shared,
        )
    return Wire(made.put(made.fresh(node.name), layer, name))


@LOWER.rule(Dense)
def _dense(made: Lowering, node: Node) -> Wire:
    op, (source,) = node.op, node.inputs
    assert isinstance(op, Dense)
    name, weight = _joined(made, op, source)
    return Wire(made.put(made.fresh(node.name), nir.Affine(weight=weight, bias=np.zeros(len(weight))), name))


def _joined(made: Lowering, op: Conv | Dense, source: str) -> tuple[str, Array]:
    """What a weighted op reads, and its real weights, what a spike is worth multiplied in where it is one number.

    Readers infer shapes as if there were one group, so weights between groups are written out as zeros.
    """
    wire, weight = made.wires[source], _ungrouped(op)
    if op.scale is not None:
        weight = weight * op.scale.reshape(-1, *(1,) * (weight.ndim - 1))
    if wire.unit.size > 1:
        return made.current(wire, made.shape(source)), weight
    return wire.name, weight * wire.unit.item()


def _ungrouped(op: Conv | Dense) -> Array:
    weight = op.weight.astype(np.float64)
    groups = op.groups if isinstance(op, Conv) else 1
    if groups == 1:
        return weight
    out, inside = len(weight) // groups, weight.shape[1]
    full = np.zeros((len(weight), inside * groups, *weight.shape[2:]))
    for group in range(groups):
        rows = slice(group * out, (group + 1) * out)
        full[rows, group * inside : (group + 1) * inside] = weight[rows]
    return full


@LOWER.rule(Affine)
def _affine(made: Lowering, node: Node) -> Wire:
    op, (source,) = node.op, node.inputs
    assert isinstance(op, Affine)
    wire = made.wires[source]
    return Wire(wire.name, wire.unit if op.scale is None else wire.unit * op.scale)


@LOWER.rule(Add)
def _add(made: Lowering, node: Node) -> Wire:
    """Edges that meet are added up in NIR; there is one edge between two nodes at most, so equal sources are one."""
    shape, units = made.shape(node.name), dict[str, Array]()
    for wire in (made.wires[source] for source in node.inputs):
        units[wire.name] = units.get(wire.name, np.zeros(())) + wire.unit
    sources = [made.current(Wire(name, unit), shape) for name, unit in units.items()]
    return Wire(made.put(made.fresh(node.name), nir.Scale(scale=np.ones(shape)), *sources))


@LOWER.rule(SumPool)
def _sum_pool(made: Lowering, node: Node) -> Wire:
    op, (source,) = node.op, node.inputs
    assert isinstance(op, SumPool)
    wire, pads = made.wires[source], op.pads[: len(op.kernel)]
    pool = nir.SumPool2d(kernel_size=np.array(op.kernel), stride=np.array(op.strides), padding=np.array(pads))
    if wire.unit.size > 1:
        return Wire(made.put(made.fresh(node.name), pool, made.current(wire, made.shape(source))))
    return Wire(made.put(made.fresh(node.name), pool, wire.name), wire.unit)


@LOWER.rule(Reshape)
def _reshape(made: Lowering, node: Node) -> Wire:
    (source,) = node.inputs
    wire, shape = made.wires[source], made.shape(source)
    flatten = nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=-1)
    unit = wire.unit if wire.unit.size == 1 else np.broadcast_to(wire.unit, shape).reshape(-1)
    return Wire(made.put(made.fresh(node.name), flatten, wire.name), unit)


@LOWER.rule(*Neuron.__subclasses__())
def _neuron(made: Lowering, node: Node) -> Wire:
    op, shape = node.op, made.shape(node.name)
    assert isinstance(op, Neuron)

    def everywhere(array: Array) -> Array:
        return np.broadcast_to(array, shape).astype(np.float64)

    neuron = nir.IF(
        r=np.ones(shape),
        v_threshold=everywhere(op.theta),
        v_reset=np.zeros(shape),
        metadata={"reset": "subtract", "v0": everywhere(op.v0), "spike_value": everywhere(op.value)},
    )
    name = made.put(made.fresh(node.name), neuron, made.current(made.wires[node.inputs[0]], shape))
    return Wire(name, np.asarray(op.value, np.float64))


@LOWER.rule(Readout)
def _readout(made: Lowering, node: Node) -> Wire:
    op, shape = node.op, made.shape(node.name)
    assert isinstance(op, Readout)
    wire = made.wires[node.inputs[0]]
    source = made.current(Wire(wire.name, wire.unit * op.scale), shape)
    return Wire(made.put(OUTPUT, nir.Output(output_type={"output": np.array(shape)}), source))
