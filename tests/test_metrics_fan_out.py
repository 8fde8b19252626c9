"""Fan-out by position, against one-hot spikes sent forward through the same synapses with all weights 1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from onnx2snn.ir import Graph, Node
from onnx2snn.ir.op import Array, Op
from onnx2snn.ir.ops import LINEAR, STBIF, Add, Affine, Conv, Dense, Encoder, Input, MaxPool, Neuron, Readout
from onnx2snn.metrics import fan_out, units
from onnx2snn.metrics.transposed import TRANSPOSED
from onnx2snn.plugins import load_backend
from onnx2snn.reference import apply, constant_nodes, tail_nodes
from onnx2snn.testing import CASES
from onnx2snn.testing.conformance import lowered

TARGETS = (Encoder, Neuron, MaxPool, Readout)


def mask(op: Op, connected: bool) -> Op:
    """The op with ones for weights, or for those that are not zero."""
    if isinstance(op, (Conv, Dense)):
        ones = (op.weight != 0).astype(np.int64) if connected else np.ones_like(op.weight, np.int64)
        return replace(op, weight=ones, scale=None, bias=None)
    if isinstance(op, Affine):
        return Affine(scale=None if op.scale is None or not connected else (op.scale != 0).astype(np.int64))
    return op


def forward(graph: Graph, source: Node, connected: bool) -> dict[str, Array]:
    """What arrives at each target of one spike from each entry of a source, (entries,) by kind of target."""
    shape = graph.shape(source.name)
    values: dict[str, Array] = {source.name: np.eye(int(np.prod(shape)), dtype=np.int64).reshape(-1, *shape)}
    found = {kind: np.zeros(len(values[source.name]), np.int64) for kind in ("spiking", "readout")}
    for node in graph:
        if node.name == source.name or node.name in tail_nodes(graph) or not any(s in values for s in node.inputs):
            continue
        zero = values[source.name]
        inputs = [values[s] if s in values else np.zeros((len(zero), *graph.shape(s)), np.int64) for s in node.inputs]
        if isinstance(node.op, TARGETS):
            kind = "readout" if isinstance(node.op, Readout) else "spiking"
            found[kind] += inputs[0].reshape(len(zero), -1).sum(axis=1)
        else:
            values[node.name] = apply(mask(node.op, connected), *inputs)
    return found


@pytest.mark.parametrize("case", CASES)
def test_fan_out_is_what_one_spike_reaches(case: str) -> None:
    graph = lowered(case, load_backend("numpy"), "st-bif", "integer").graph
    maps = fan_out(graph)
    assert {node.name for node in graph.of(Neuron)} <= set(maps)
    for name, fan in maps.items():
        expected, linked = (forward(graph, graph[name], connected) for connected in (False, True))
        np.testing.assert_array_equal(fan.spiking.reshape(-1), expected["spiking"])
        np.testing.assert_array_equal(fan.readout.reshape(-1), expected["readout"])
        np.testing.assert_array_equal(fan.connected.reshape(-1), sum(linked.values()))
        assert (fan.connected <= fan.all).all()
        assert (fan.macs <= fan.all).all()
        assert (fan.hidden_macs <= fan.macs).all()


def test_borders_of_a_padded_convolution_reach_less() -> None:
    graph = Graph()
    graph.add("x", Input(shape=(1, 3, 3)))
    graph.add("n", population(), ["x"])
    weight = np.ones((2, 1, 3, 3), np.int64)
    weight[0, 0, 1, 1] = 0
    graph.add("c", Conv(weight=weight, strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1)), ["n"])
    graph.add("m", population(), ["c"])
    graph.add("y", Readout(scale=np.ones(()), bias=np.zeros(())), ["m"])
    graph.outputs = ("y",)
    fan = fan_out(graph)["n"]
    np.testing.assert_array_equal(fan.all[0], [[8, 12, 8], [12, 18, 12], [8, 12, 8]])
    np.testing.assert_array_equal(fan.connected, fan.all - 1)  # the centre of one of two kernels is zero
    np.testing.assert_array_equal(fan.macs, fan.all)
    assert fan_out(graph)["m"].readout.sum() == 18
    assert fan_out(graph)["m"].macs.sum() == 0  # no weight between it and the readout


def test_an_identity_branch_adds_without_multiplying() -> None:
    graph = Graph()
    graph.add("x", Input(shape=(2,)))
    graph.add("n", population(), ["x"])
    graph.add("d", Dense(weight=np.ones((2, 2), np.int64)), ["n"])
    graph.add("a", Add(), ["d", "n"])
    graph.add("m", population(), ["a"])
    graph.add("y", Readout(scale=np.ones(()), bias=np.zeros(())), ["m"])
    graph.outputs = ("y",)
    fan = fan_out(graph)["n"]
    np.testing.assert_array_equal(fan.all, [3, 3])
    np.testing.assert_array_equal(fan.macs, [2, 2])


def population() -> STBIF:
    one = np.ones((), np.int64)
    return STBIF(theta=one, v0=0 * one, bias=0 * one, value=one, hi=3)


@pytest.mark.parametrize(("case", "inputs"), [("max-pool-first", 1), ("analog-input", 1), ("conv-chain", 1)])
def test_the_first_layer_multiplies_the_input(case: str, inputs: int) -> None:
    graph = lowered(case, load_backend("numpy"), "st-bif", "integer").graph
    constant = constant_nodes(graph)
    found = {name: fan for name, fan in fan_out(graph).items() if name in constant}
    assert len(found) == inputs
    first = next(node for node in graph.of(Conv))
    full = np.prod(graph.shape(first.name)) * np.prod(first.op.weight.shape[1:])  # type: ignore[attr-defined]
    pads = any(first.op.pads)  # type: ignore[attr-defined]
    total = sum(int(fan.macs.sum()) for fan in found.values())
    assert 0 < total <= full
    assert pads or total == full


@dataclass(frozen=True, eq=False, kw_only=True)
class Rungs(Neuron):
    """Three units side by side."""

    code: ClassVar[str] = "ladder"
    exact: ClassVar[bool] = True

    @property
    def range(self) -> tuple[int, int | None]:
        return (-1, 2)


def test_a_neuron_of_several_units_has_a_synapse_for_each() -> None:
    one = np.ones((), np.int64)
    graph = Graph()
    graph.add("x", Input(shape=(2,)))
    graph.add("n", population(), ["x"])
    graph.add("d", Dense(weight=np.array([[1, 0], [1, 1]])), ["n"])
    graph.add("m", Rungs(theta=one, v0=0 * one, bias=0 * one, value=one), ["d"])
    graph.add("y", Readout(scale=np.ones(()), bias=np.zeros(())), ["m"])
    graph.outputs = ("y",)
    fan = fan_out(graph)["n"]
    assert units(graph["m"].op) == 3
    assert units(graph["n"].op) == 1
    assert fan.all.tolist() == [6, 6]  # two neurons of three units
    assert fan.connected.tolist() == [6, 3]
    assert fan.macs.tolist() == [2, 2]  # an ANN multiplies once a neuron


def test_every_linear_op_has_a_rule() -> None:
    assert set(LINEAR) == set(TRANSPOSED)
