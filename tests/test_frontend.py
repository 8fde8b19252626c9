"""Every ONNX op that is read: the graph evaluated by the reference equals ONNX Runtime within 1e-5.

Quantisers are in test_frontend_quantisers.py, refusals in test_frontend_refusals.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from models import ModelBuilder
from onnx_case import compare, save
from onnx_cases import CASES, FLAT, IMAGE, axes, real

from onnx2snn.frontends.onnx import RULES, read_onnx
from onnx2snn.ir.ops import Affine, Conv, Dense, Relu, Reshape


@pytest.mark.parametrize("name", CASES)
def test_an_op_reads_as_onnx_runtime_runs_it(name: str, tmp_path: Path) -> None:
    shape, opset, build = CASES[name]
    m = ModelBuilder(shape, opset=opset)
    compare(save(m, build(m), tmp_path / "m.onnx"))


def test_every_rule_has_a_case() -> None:
    quantisers = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}
    quantisers |= {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}  # test_frontend_integer.py
    ops: set[str] = set()
    for shape, opset, build in CASES.values():
        m = ModelBuilder(shape, opset=opset)
        build(m)
        ops |= {node.op_type for node in m.nodes}
    assert {name for domain, name in RULES if not domain} - ops - quantisers == set()
    assert len(ops) > 20


def test_records_name_every_node_and_where_it_went(tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE)
    y = m.node("Relu", m.conv("x", 4, 2))
    path = save(m, m.node("Flatten", y), tmp_path / "named model.onnx")
    reading = read_onnx(path)
    assert [(r.op, r.into) for r in reading.records] == [
        ("DequantizeLinear", ""),
        ("Conv", "Conv_1"),
        ("Relu", "Relu_1"),
        ("Flatten", "Flatten_1"),
    ]
    assert reading.graph.name == "named.model"
    origin = reading.graph["Relu_1"].origin
    assert (origin.node, origin.op, origin.tensor) == ("/Relu_1", "Relu", "relu1")


def test_whole_weights_stay_whole(tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE)
    y = m.node("Flatten", m.conv("x", 4, 8, (3, 2)))
    graph = read_onnx(save(m, m.node("Gemm", y, m.weights((3, 200)), transB=1, alpha=-1.0), tmp_path / "m.onnx")).graph
    (conv_node,), (dense,) = graph.of(Conv), graph.of(Dense)
    for op in (conv_node.op, dense.op):
        assert isinstance(op, (Conv, Dense))
        assert op.weight.dtype == np.int8
        assert op.scale is not None
        assert (op.scale > 0).all(), "the sign of alpha belongs to the weights"


def test_what_changes_nothing_leaves_no_node(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    y = m.node("Flatten", m.node("Dropout", m.node("Identity", "x"), m.constant(0.3)))
    path = save(m, m.node("Relu", m.node("Reshape", y, axes(m, 0, -1))), tmp_path / "m.onnx")
    assert [type(node.op) for node in compare(path).graph][1:] == [Relu]


def test_constants_are_folded(tmp_path: Path) -> None:
    """A weight computed from constants, a shape put together from the input's own."""
    m = ModelBuilder((3, 4, 6))
    weight = m.node("Mul", m.node("Transpose", real(m, 5, 24), perm=[1, 0]), m.constant(0.5))
    batch = m.node("Gather", m.node("Shape", "x"), axes(m, 0))
    shape = m.node("Concat", batch, axes(m, -1), axis=0)
    y = m.node("Gemm", m.node("Reshape", "x", shape), weight)
    graph = compare(save(m, y, tmp_path / "m.onnx", rank=2)).graph
    assert [type(node.op) for node in graph][1:] == [Reshape, Dense]


@pytest.mark.parametrize("batch", [1, 4, "N", ""])
def test_dynamic_and_fixed_batch(batch: int | str, tmp_path: Path) -> None:
    m = ModelBuilder([batch, 4, 5, 5])
    path = save(m, m.gemm(m.node("Flatten", m.conv("x", 4, 2)), 18, 3), tmp_path / "m.onnx")
    compare(path, batch=1)
    compare(path, batch=6)


def test_double_precision(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    y = m.node("Gemm", "x", m.constant(m.rng.normal(0, 1, (6, 5)), np.float64), m.constant(np.ones(5), np.float64))
    compare(save(m, y, tmp_path / "m.onnx", kind=onnx.TensorProto.DOUBLE))


def test_initialisers_that_are_inputs_as_well(tmp_path: Path) -> None:
    """Old exporters list weights among the inputs."""
    m = ModelBuilder(FLAT)
    weight = real(m, 6, 5)
    path = save(m, m.node("Gemm", "x", weight), tmp_path / "m.onnx")
    proto = onnx.load(str(path))
    proto.graph.input.append(onnx.helper.make_tensor_value_info(weight, onnx.TensorProto.FLOAT, [6, 5]))
    onnx.save(proto, str(path))
    compare(path)


def test_nodes_without_names(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    y = m.node("Add", m.node("Relu", "x"), m.node("Mul", "x", m.constant(2.0)))
    for node in m.nodes:
        node.name = ""
    graph = compare(save(m, y, tmp_path / "m.onnx")).graph
    assert [node.name for node in graph] == ["x", "relu1", "mul1", "add1"]
    assert graph.of(Affine)[0].origin.tensor == "mul1"
