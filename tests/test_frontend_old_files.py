"""Files that are old or untidy and still say clearly what they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from models import ModelBuilder, lenet
from onnx_case import compare, save
from onnx_files import edited, one_layer, refusal

from onnx2snn.frontends.onnx.load import load_model
from onnx2snn.frontends.onnx.repair import repair

IMAGE, FLAT = ("N", 2, 6, 6), ("N", 6)
Edit = Callable[[onnx.ModelProto], object]


def old_ir(proto: onnx.ModelProto) -> None:
    proto.ir_version = 3


def listed(proto: onnx.ModelProto) -> None:
    old_ir(proto)
    for tensor in proto.graph.initializer:
        proto.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))


def spelled_out(proto: onnx.ModelProto) -> None:
    proto.opset_import[0].domain = "ai.onnx"
    proto.graph.node[0].domain = "ai.onnx"


def imported_twice(proto: onnx.ModelProto) -> None:
    for domain, version in (("ai.onnx", 18), ("com.microsoft", 1), ("com.microsoft", 1)):
        proto.opset_import.add(domain=domain, version=version)


def backwards(proto: onnx.ModelProto) -> None:
    nodes = list(proto.graph.node)[::-1]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    proto.graph.ClearField("node")
    proto.graph.node.extend(copies)


UNTIDY: dict[str, Edit] = {
    "initialisers not listed": old_ir,
    "initialisers listed": listed,
    "domain spelled out": spelled_out,
    "domains imported twice": imported_twice,
    "nodes out of order": backwards,
}


@pytest.mark.parametrize("name", UNTIDY)
def test_untidy_files_read_as_tidy_ones(name: str, tmp_path: Path) -> None:
    path = edited(lenet(tmp_path / "m.onnx"), UNTIDY[name])
    assert len(compare(path).graph) == len(compare(lenet(tmp_path / "tidy.onnx")).graph)


def test_repair_leaves_tidy_files_alone(tmp_path: Path) -> None:
    proto = onnx.load(str(lenet(tmp_path / "m.onnx")))
    before = proto.SerializeToString()
    assert not repair(proto)
    assert proto.SerializeToString() == before


def test_constants_listed_as_inputs_are_folded(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    weight = m.node("Reshape", m.constant(m.rng.normal(0, 1, (2, 3, 4))), m.constant([6, 4], np.int64))
    path = save(m, m.node("MatMul", "x", weight), tmp_path / "m.onnx")
    assert len(compare(edited(path, listed)).graph) == 2


def test_a_custom_domain_without_an_opset(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    path = save(m, m.node("Mystery", "x", domain="com.example"), tmp_path / "m.onnx", rank=2)
    assert "op Mystery (domain com.example, opset 1)" in refusal(path)


def test_a_cycle_is_still_named(tmp_path: Path) -> None:
    path = edited(one_layer(tmp_path), lambda p: p.graph.node[1].input.__setitem__(0, "gemm1"))
    assert "input 'gemm1' of node: name: /Gemm_1" in refusal(path)


# -- opsets 7 to 10 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opset", [7, 8, 9])
def test_old_opsets(opset: int, tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE, opset=opset)
    y = m.node("Conv", "x", m.constant(m.rng.normal(0, 0.5, (3, 2, 3, 3))))
    y = m.node("Clip", m.batch_norm(y, 3), min=0.0, max=1.0)
    y = m.node("Dropout", m.node("MaxPool", y, kernel_shape=[2, 2]), ratio=0.3)
    y = m.node("Gemm", m.node("Flatten", y), m.constant(m.rng.normal(0, 0.5, (27, 4))), m.constant(np.zeros(4)))
    compare(save(m, y, tmp_path / "m.onnx"))


def test_statistics_of_each_pixel(tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE, opset=7)
    parameters = [m.constant(np.ones((2, 6, 6))) for _ in range(4)]
    path = save(m, m.node("BatchNormalization", "x", *parameters, spatial=0), tmp_path / "m.onnx", rank=4)
    assert "spatial = 1 expected (one mean and variance for each channel), found 0" in refusal(path)


MODERN: dict[str, tuple[int, dict[str, Any], list[list[float]]]] = {
    "Slice": (9, {"starts": [1, 2], "ends": [5, 6], "axes": [2, 3]}, [[1, 2], [5, 6], [2, 3]]),
    "Pad": (9, {"pads": [0, 0, 1, 1, 0, 0, 2, 2], "value": 0.5}, [[0, 0, 1, 1, 0, 0, 2, 2], [0.5]]),
    "Upsample": (8, {"scales": [1.0, 1.0, 2.0, 2.0]}, [[], [1, 1, 2, 2]]),
}


@pytest.mark.parametrize("name", MODERN)
def test_attributes_become_inputs(name: str, tmp_path: Path) -> None:
    opset, attributes, expected = MODERN[name]
    m = ModelBuilder(IMAGE, opset=opset)
    (node,) = load_model(save(m, m.node(name, "x", **attributes), tmp_path / "m.onnx", rank=4)).graph
    assert node.op_type == name.replace("Upsample", "Resize")
    assert set(node.attributes).isdisjoint(attributes)
    found = [[] if v is None else v.const_value.numpy().ravel().tolist() for v in node.inputs[1:]]  # type: ignore[union-attr]
    assert found == expected


def test_the_first_resize(tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE, opset=10)
    y = m.node("Resize", "x", m.constant([1, 1, 2, 2]), mode="nearest")
    (node,) = load_model(save(m, y, tmp_path / "m.onnx", rank=4)).graph
    assert [v is None for v in node.inputs] == [False, True, False]
    assert node.attributes["coordinate_transformation_mode"].value == "asymmetric"
    assert node.attributes["nearest_mode"].value == "floor"


FORMER: dict[str, tuple[int, Callable[[ModelBuilder], str]]] = {
    "Slice": (9, lambda m: m.node("Slice", "x", starts=[1, 2], ends=[5, 6], axes=[2, 3])),
    "Slice without axes": (7, lambda m: m.node("Slice", "x", starts=[0, 1], ends=[2**31 - 1, 2])),
    "Pad": (9, lambda m: m.node("Pad", "x", pads=[0, 0, 1, 1, 0, 0, 2, 2])),
    "Split": (9, lambda m: m.node("Split", "x", axis=1, split=[1, 1])),
    "Upsample attribute": (8, lambda m: m.node("Upsample", "x", scales=[1.0, 1.0, 2.0, 3.0])),
    "Upsample input": (9, lambda m: m.node("Upsample", "x", m.constant([1, 1, 2, 3]))),
    "Resize": (10, lambda m: m.node("Resize", "x", m.constant([1, 1, 2, 3]), mode="nearest")),
}


@pytest.mark.parametrize("name", FORMER)
def test_former_forms_read_as_onnx_runtime_runs_them(name: str, tmp_path: Path) -> None:
    opset, build = FORMER[name]
    m = ModelBuilder(IMAGE, opset=opset)
    y = build(m)
    if name == "Split":
        m.nodes[-1].output.append("rest")
    compare(save(m, y, tmp_path / "m.onnx", rank=4))
