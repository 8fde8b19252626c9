"""QuantizeLinear, Clip, DequantizeLinear, on features and on weights: read as ONNX Runtime runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from models import ModelBuilder
from onnx import helper
from onnx_case import compare, save

from onnx2snn.ir.ops import Conv, Dense, Quantise

IMAGE, FLAT = ("N", 4, 5, 5), ("N", 6)
UINT4, INT4 = onnx.TensorProto.UINT4, onnx.TensorProto.INT4
SAMPLES = 64  # enough for every code of the small grids, and for both ends


def packed(m: ModelBuilder, kind: int, values: Sequence[int], shape: Sequence[int]) -> str:
    """A constant of a type that NumPy does not have."""
    name = f"c{len(m.constants)}"
    m.constants.append(helper.make_tensor(name, kind, shape, values))
    return name


def qdq(m: ModelBuilder, x: str, scale: Any, zero: str, **attributes: Any) -> str:
    grid = (m.constant(np.asarray(scale, np.float32)), zero)
    return m.node("DequantizeLinear", m.node("QuantizeLinear", x, *grid, **attributes), *grid, **attributes)


def around_every_step(m: ModelBuilder, shape: Sequence[int], scale: float, low: int, high: int) -> np.ndarray[Any, Any]:
    """Inputs from below the lowest code to above the highest, ties left to their own test."""
    counts = m.rng.uniform(low - 2, high + 2, (SAMPLES, *shape))
    return (counts * scale).astype(np.float32)


# -- features -------------------------------------------------------------------------------------------------------

GRIDS: dict[str, tuple[type, int, float]] = {
    "uint8": (np.uint8, 0, 0.02),
    "uint8 with a zero point": (np.uint8, 128, 0.02),
    "uint8 with an odd zero point": (np.uint8, 3, 0.07),
    "int8": (np.int8, 0, 0.02),
    "int8 with a zero point": (np.int8, -128, 0.013),
    "uint16": (np.uint16, 0, 0.001),
    "int16": (np.int16, -5, 0.001),
}


@pytest.mark.parametrize("name", GRIDS)
def test_one_grid_for_a_tensor(name: str, tmp_path: Path) -> None:
    kind, zero, scale = GRIDS[name]
    m = ModelBuilder(FLAT, opset=21)
    path = save(m, qdq(m, "x", scale, m.constant(zero, kind)), tmp_path / "m.onnx")
    info = np.iinfo(kind)
    reading = compare(path, x=around_every_step(m, (6,), scale, info.min - zero, info.max - zero))
    (node,) = reading.graph.of(Quantise)
    assert isinstance(node.op, Quantise)
    assert (node.op.qmin, node.op.qmax, node.op.zero_point) == (info.min, info.max, zero)
    assert [record.into for record in reading.records] == ["x", "DequantizeLinear_1"]


@pytest.mark.parametrize(("kind", "zero"), [(UINT4, 0), (UINT4, 8), (INT4, 0), (INT4, -3)])
def test_four_bit_types(kind: int, zero: int, tmp_path: Path) -> None:
    m = ModelBuilder(FLAT, opset=21)
    path = save(m, qdq(m, "x", 0.3, packed(m, kind, [zero], [])), tmp_path / "m.onnx")
    low, high = (0, 15) if kind == UINT4 else (-8, 7)
    graph = compare(path, x=around_every_step(m, (6,), 0.3, low - zero, high - zero)).graph
    (node,) = graph.of(Quantise)
    assert isinstance(node.op, Quantise)
    assert (node.op.qmin, node.op.qmax, node.op.zero_point) == (low, high, zero)


@pytest.mark.parametrize(
    ("low", "high", "zero"), [(0, 15, 0), (0, 7, 3), (-8, 7, 0), (-4, 3, -4), (0, 1, 0), (-128, 127, 0), (0, 255, 7)]
)
def test_clip_on_codes_makes_fewer_bits(low: int, high: int, zero: int, tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    path = save(m, m.quantise("x", 0.11, low, high, zero), tmp_path / "m.onnx")
    graph = compare(path, x=around_every_step(m, (6,), 0.11, low - zero, high - zero)).graph
    (node,) = graph.of(Quantise)
    assert isinstance(node.op, Quantise)
    assert (node.op.qmin, node.op.qmax, node.op.zero_point) == (low, high, zero)


def test_clip_on_codes_with_one_bound(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    grid = (m.constant(0.2), m.constant(0, np.int8))
    codes = m.node("Clip", m.node("QuantizeLinear", "x", *grid), m.constant(-2, np.int8))
    compare(save(m, m.node("DequantizeLinear", codes, *grid), tmp_path / "m.onnx"), SAMPLES)


@pytest.mark.parametrize("axis", [1, -3, 2, 3])
def test_a_grid_for_each_channel(axis: int, tmp_path: Path) -> None:
    count = IMAGE[axis]
    assert isinstance(count, int)
    m = ModelBuilder(IMAGE)
    scale = m.rng.uniform(0.02, 0.3, count)
    graph = compare(save(m, m.quantise("x", scale, 0, 15, axis=axis), tmp_path / "m.onnx"), SAMPLES).graph
    (node,) = graph.of(Quantise)
    assert isinstance(node.op, Quantise)
    assert node.op.scale.size == count


def test_without_a_zero_point(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    scale = m.constant(0.02)
    y = m.node("DequantizeLinear", m.node("QuantizeLinear", "x", scale), scale)
    compare(save(m, y, tmp_path / "m.onnx"), SAMPLES)


def test_a_grid_for_each_channel_without_zero_points(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    scale = m.constant(m.rng.uniform(0.02, 0.3, 6))
    y = m.node("DequantizeLinear", m.node("QuantizeLinear", "x", scale), scale)
    compare(save(m, y, tmp_path / "m.onnx"), SAMPLES)


def test_output_type_as_an_attribute(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT, opset=21)
    scale = m.constant(0.02)
    codes = m.node("QuantizeLinear", "x", scale, output_dtype=onnx.TensorProto.INT8)
    graph = compare(save(m, m.node("DequantizeLinear", codes, scale), tmp_path / "m.onnx"), SAMPLES).graph
    (node,) = graph.of(Quantise)
    assert isinstance(node.op, Quantise)
    assert (node.op.qmin, node.op.qmax) == (-128, 127)


def test_ties_go_to_the_even_code(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    path = save(m, m.quantise("x", 0.25, -8, 7), tmp_path / "m.onnx")
    compare(path, x=(np.arange(-60, 60).reshape(-1, 6) * 0.125).astype(np.float32))


def test_no_rule_is_left_out(tmp_path: Path) -> None:
    """QCDQ behind every kind of activation, one after the other."""
    m = ModelBuilder(IMAGE)
    y = m.quantise("x", 0.05, -128, 127)
    y = m.quantise(m.node("Relu", m.batch_norm(m.conv(y, 4, 3), 3, [0.5, -0.5, 0.0])), 0.1)
    y = m.quantise(m.node("Clip", m.node("MaxPool", y, kernel_shape=[2, 2]), m.constant(0.0), m.constant(1.0)), 0.07)
    graph = compare(save(m, m.gemm(m.node("Flatten", y), 12, 2), tmp_path / "m.onnx")).graph
    assert len(graph.of(Quantise)) == 3


# -- weights --------------------------------------------------------------------------------------------------------


def dense_of(path: Path) -> Dense | Conv:
    graph = compare(path).graph
    (node,) = graph.of(Dense, Conv)
    assert isinstance(node.op, (Dense, Conv))
    return node.op


def chain(m: ModelBuilder, scale: Any, *, axis: int = 0, clip: bool = True, zero: int = 0) -> str:
    """float -> QuantizeLinear -> Clip -> DequantizeLinear, all of constants: what QCDQ exporters write."""
    steps = np.asarray(scale, np.float32)
    grid = (m.constant(steps), m.constant(np.full(steps.shape, zero), np.int8))
    codes = m.node("QuantizeLinear", m.constant(m.rng.normal(0, 0.5, (5, 6))), *grid, axis=axis)
    if clip:
        codes = m.node("Clip", codes, m.constant(-7, np.int8), m.constant(7, np.int8))
    return m.node("DequantizeLinear", codes, *grid, axis=axis)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
def test_a_chain_over_weights_is_whole_weights(clip: bool, per_channel: bool, tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    scale = m.rng.uniform(0.05, 0.2, 5) if per_channel else 0.1
    path = save(m, m.node("Gemm", "x", chain(m, scale, clip=clip), transB=1), tmp_path / "m.onnx")
    op = dense_of(path)
    assert op.weight.dtype == np.int8
    assert op.scale is not None
    assert op.scale.shape == (5,)
    assert not clip or abs(op.weight).max() <= 7
    np.testing.assert_allclose(op.scale, np.broadcast_to(np.float32(scale), 5))


def test_weights_with_a_zero_point(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    codes = m.constant(m.rng.integers(0, 256, (5, 6)), np.uint8)
    weight = m.node("DequantizeLinear", codes, m.constant(0.01), m.constant(131, np.uint8))
    op = dense_of(save(m, m.node("Gemm", "x", weight, transB=1), tmp_path / "m.onnx"))
    assert op.weight.dtype in (np.int8, np.int64)
    assert op.scale is not None


def test_a_zero_point_for_each_channel(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    grid = (m.constant(m.rng.uniform(0.01, 0.1, 5)), m.constant(m.rng.integers(-9, 9, 5), np.int8))
    weight = m.node("DequantizeLinear", m.constant(m.rng.integers(-99, 99, (5, 6)), np.int8), *grid, axis=0)
    assert dense_of(save(m, m.node("Gemm", "x", weight, transB=1), tmp_path / "m.onnx")).scale is not None


@pytest.mark.parametrize("kind", [INT4, UINT4])
def test_four_bit_weights(kind: int, tmp_path: Path) -> None:
    m = ModelBuilder(FLAT, opset=21)
    low = -8 if kind == INT4 else 0
    codes = packed(m, kind, m.rng.integers(low, low + 16, 30).tolist(), [5, 6])
    weight = m.node("DequantizeLinear", codes, m.constant(0.1), packed(m, kind, [low + 8], []))
    assert dense_of(save(m, m.node("Gemm", "x", weight, transB=1), tmp_path / "m.onnx")).weight.dtype == np.int8


def test_scales_along_another_axis_make_real_weights(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    path = save(m, m.node("Gemm", "x", m.weights((5, 6), axis=1), transB=1), tmp_path / "m.onnx")
    assert dense_of(path).scale is None


def test_a_bias_of_32_bits(tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE)
    scales = m.constant(m.rng.uniform(0.001, 0.01, 3))
    bias = m.node("DequantizeLinear", m.constant(m.rng.integers(-999, 999, 3), np.int32), scales, axis=0)
    path = save(m, m.node("Conv", "x", m.weights((3, 4, 3, 3)), bias), tmp_path / "m.onnx")
    op = dense_of(path)
    assert op.bias is not None
    assert op.weight.dtype == np.int8


def test_weights_of_three_kinds_of_conv(tmp_path: Path) -> None:
    for group, out in ((1, 3), (2, 4), (4, 8)):
        m = ModelBuilder(IMAGE)
        op = dense_of(save(m, m.conv("x", 4, out, group=group), tmp_path / f"{group}.onnx"))
        assert isinstance(op, Conv)
        assert op.groups == group
        assert op.scale is not None
        assert op.scale.shape == (out,)
