"""QONNX: read as onnx's reference evaluator runs it with the ops of QONNX."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import Array, ModelBuilder
from onnx_case import compare, save
from onnx_files import refusal

from onnx2snn.frontends.onnx import OnnxReference, OnnxRuntime, executor
from onnx2snn.frontends.onnx.domains import ELSEWHERE, QONNX
from onnx2snn.frontends.onnx.qonnx_numbers import ROUNDINGS
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Affine, AveragePool, Conv, Dense, Quantise, Steps

FLAT, IMAGE = ("N", 6), ("N", 3, 4, 4)


def quant(m: ModelBuilder, x: str, scale: Any, bits: float = 4, zero: float = 0, **attributes: Any) -> str:
    operands = (m.constant(scale, attributes.pop("kind", np.float32)), m.constant(zero), m.constant(bits))
    domain = attributes.pop("domain", QONNX)
    return m.node(attributes.pop("op", "Quant"), x, *operands, domain=domain, **{"signed": 1, "narrow": 0} | attributes)


def on_every_quarter(m: ModelBuilder, shape: tuple[int, ...], step: float, count: int = 96) -> Array:
    """Inputs on quarters of a step, ties among them, beyond both ends of 5 bits."""
    return (m.rng.integers(-80, 81, (count, *shape)) * step / 4).astype(np.float32)


def only(graph: Graph, kind: type[Any]) -> Any:
    (node,) = graph.of(kind)
    return node.op


# -- features -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [*ROUNDINGS, "round", "half_up", "Floor"])
@pytest.mark.parametrize(("signed", "zero"), [(1, 0), (1, 3), (1, -2), (0, 0), (0, 5), (0, 6)], ids=str)
def test_every_rounding_of_ties_and_zero_points(mode: str, signed: int, zero: int, tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    y = quant(m, "x", 0.25, 4, zero, signed=signed, rounding_mode=mode)
    compare(save(m, y, tmp_path / "m.onnx", rank=2), x=on_every_quarter(m, (6,), 0.25))


RANGES = {
    (4, 1, 0): (-8, 7),
    (4, 1, 1): (-7, 7),
    (4, 0, 0): (0, 15),
    (4, 0, 1): (0, 14),
    (1, 0, 0): (0, 1),
    (2, 1, 1): (-1, 1),
    (16, 1, 0): (-(2**15), 2**15 - 1),
}


@pytest.mark.parametrize("case", RANGES, ids=str)
@pytest.mark.parametrize("op", ["Quant", "IntQuant"])
def test_ranges(op: str, case: tuple[int, int, int], tmp_path: Path) -> None:
    bits, signed, narrow = case
    m = ModelBuilder(FLAT)
    path = save(m, quant(m, "x", 0.5, bits, signed=signed, narrow=narrow, op=op), tmp_path / "m.onnx", rank=2)
    reading = compare(path, x=on_every_quarter(m, (6,), 0.5))
    found = only(reading.graph, Quantise)
    assert (found.qmin, found.qmax) == RANGES[case]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_scale_for_each_channel(kind: type, tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE)
    path = save(m, quant(m, "x", [[[[0.25]], [[0.5]], [[1.0]]]], 4, kind=kind), tmp_path / "m.onnx", rank=4)
    reading = compare(path, x=on_every_quarter(m, (3, 4, 4), 0.25))
    np.testing.assert_array_equal(only(reading.graph, Quantise).scale.ravel(), [0.25, 0.5, 1.0])


@pytest.mark.parametrize("bits", [None, 1], ids=["BipolarQuant", "one signed bit"])
@pytest.mark.parametrize("scale", [0.37, [[[[0.25]], [[0.5]], [[1.0]]]]], ids=["one scale", "scale per channel"])
def test_two_values(bits: int | None, scale: Any, tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE)
    y = quant(m, "x", scale, bits) if bits else m.node("BipolarQuant", "x", m.constant(scale), domain=QONNX)
    reading = compare(save(m, y, tmp_path / "m.onnx", rank=4), x=on_every_quarter(m, (3, 4, 4), 1.0))
    assert len(only(reading.graph, Steps).heights) == 1


@pytest.mark.parametrize("signed", [0, 1])
def test_more_bits_than_a_neuron_climbs(signed: int, tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    reading = compare(save(m, quant(m, "x", 1e-7, 32, signed=signed), tmp_path / "m.onnx", rank=2))
    assert not reading.graph.of(Quantise)
    assert "32 bits: its rounding, half a step of 1e-07 at most, is left out" in reading.records[0].note


# -- constants ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.07, np.array([0.05, 0.11, 0.2, 0.02]).reshape(4, 1, 1, 1)], ids=["one", "each"])
def test_weights_of_a_convolution(scale: Any, tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE)
    w = quant(m, m.constant(m.rng.normal(0, 0.3, (4, 3, 3, 3))), scale, 4, narrow=1)
    b = quant(m, m.constant(m.rng.normal(0, 1, 4)), 0.001, 32)
    reading = compare(save(m, m.node("Conv", "x", w, b), tmp_path / "m.onnx", rank=4))
    op = only(reading.graph, Conv)
    assert op.weight.dtype == np.int8
    assert np.abs(op.weight).max() == 7
    np.testing.assert_array_equal(op.scale, np.broadcast_to(np.ravel(np.float32(scale)), 4))
    np.testing.assert_allclose(op.bias / 0.001, np.rint(op.bias / 0.001), atol=1e-3)


@pytest.mark.parametrize("rank", [1, 2], ids=["(out,)", "(1, out)"])
def test_weights_of_a_matrix(rank: int, tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    scale = np.array([0.05, 0.11, 0.2]).reshape((1,) * (rank - 1) + (3,))
    w = quant(m, m.constant(m.rng.normal(0, 0.3, (6, 3))), scale, 4)
    op = only(compare(save(m, m.node("MatMul", "x", w), tmp_path / "m.onnx", rank=2)).graph, Dense)
    assert op.weight.dtype == np.int8
    np.testing.assert_array_equal(op.scale, np.float32(scale).ravel())


def test_weights_with_scales_along_two_axes_are_real(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    w = quant(m, m.constant(m.rng.normal(0, 0.3, (6, 3))), m.rng.uniform(0.01, 0.1, (6, 3)), 4)
    op = only(compare(save(m, m.node("MatMul", "x", w), tmp_path / "m.onnx", rank=2)).graph, Dense)
    assert op.scale is None


def test_weights_of_two_values_and_with_a_zero_point(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    w = m.node("BipolarQuant", m.constant(m.rng.normal(0, 1, (6, 3))), m.constant(0.3), domain=QONNX)
    y = m.node("MatMul", "x", w)
    w = quant(m, m.constant(m.rng.uniform(-0.2, 0.9, (3, 2))), 0.05, 4, zero=3, signed=0)
    first, second = compare(save(m, m.node("MatMul", y, w), tmp_path / "m.onnx", rank=2)).graph.of(Dense)
    assert set(np.unique(getattr(first.op, "weight"))) == {-1, 1}  # noqa: B009  an op of any kind
    assert getattr(second.op, "weight").min() == -3  # noqa: B009


@pytest.mark.parametrize("mode", ROUNDINGS)
def test_rounding_of_weights(mode: str, tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    w = quant(m, m.constant(on_every_quarter(m, (3,), 0.25, 6)), 0.25, 5, rounding_mode=mode)
    compare(save(m, m.node("MatMul", "x", w), tmp_path / "m.onnx", rank=2), x=np.eye(6, dtype=np.float32))


# -- Trunc ----------------------------------------------------------------------------------------------------------


def averaged(m: ModelBuilder, signed: int, mode: str, old: bool) -> str:
    """The sum of 2 x 2 quantised values, its two or three lowest bits dropped."""
    y = m.node("AveragePool", quant(m, "x", 0.25, 4, signed=signed), kernel_shape=[2, 2], strides=[2, 2])
    y = m.node("Mul", y, m.constant(4.0))
    step, zero, wide = m.constant(0.25), m.constant(0.0), m.constant(6.0)
    if old:
        return m.node("Trunc", y, step, zero, wide, m.constant(4.0), domain=QONNX, rounding_mode=mode)
    extra = {"signed": signed, "narrow": 0, "rounding_mode": mode}
    return m.node("Trunc", y, step, zero, wide, m.constant(2.0), m.constant(3.0), domain=QONNX, **extra)


@pytest.mark.parametrize("old", [True, False], ids=["version 1", "version 2"])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("mode", ROUNDINGS)
def test_trunc(mode: str, signed: int, old: bool, tmp_path: Path) -> None:
    m = ModelBuilder(IMAGE)
    path = save(m, averaged(m, signed, mode, old), tmp_path / "m.onnx", rank=4)
    graph = compare(path, x=on_every_quarter(m, (3, 4, 4), 0.25)).graph
    assert len(graph.of(AveragePool)) == 1
    last = graph[graph.outputs[0]].op
    assert isinstance(last, Quantise)
    assert last.qmin == ((-8 if old else -4) if signed else 0)


# -- MultiThreshold -------------------------------------------------------------------------------------------------


def thresholded(rows: Any, shape: tuple[int | str, ...], path: Path, layout: str = "NCHW", **attributes: Any) -> Path:
    m = ModelBuilder(shape)
    y = m.node("MultiThreshold", "x", m.constant(rows), domain=QONNX, data_layout=layout, **attributes)
    return save(m, y, path, rank=len(shape))


UNIFORM: dict[str, tuple[Any, float, float]] = {
    "half a step from zero": (0.25 * np.arange(15)[None] + 0.125, 0.25, 0.0),
    "below zero": (0.25 * np.arange(-8, 7)[None] + 0.125, 0.25, -2.0),
    "each channel its own": (np.array([[1], [3], [7]]) * np.arange(7) + np.array([[2], [-5], [0]]), 1.0, 0.0),
    "steps of no power of two": (np.float32(0.0231) * (np.arange(15, dtype=np.float32) + 0.5)[None], 0.7, 0.0),
    "a bias between two steps": (np.arange(4)[None] * 1.0, 2.0, -1.0),
    "a bias beyond the steps": (np.arange(4)[None] * 1.0, 2.0, 40.0),
}


@pytest.mark.parametrize("name", UNIFORM)
def test_thresholds_at_one_distance_become_a_quantiser(name: str, tmp_path: Path) -> None:
    rows, scale, bias = UNIFORM[name]
    path = thresholded(rows, IMAGE, tmp_path / "m.onnx", out_scale=scale, out_bias=bias, out_dtype="INT4")
    reading = compare(path, x=at_and_beside(np.asarray(rows, np.float32), (3, 4, 4)))
    assert not reading.graph.of(Steps)
    assert only(reading.graph, Quantise).scale == np.float32(scale)


def at_and_beside(rows: Array, shape: tuple[int, ...]) -> Array:
    """Inputs equal to thresholds, and a millionth of the largest threshold to both sides."""
    rng, near = np.random.default_rng(5), np.float32(np.abs(rows).max() * 1e-6)
    chosen = rng.choice(rows.ravel(), (64, *shape))
    return (chosen + rng.integers(-1, 2, chosen.shape) * near).astype(np.float32)


def test_thresholds_half_a_step_from_zero_need_no_shift(tmp_path: Path) -> None:
    rows, scale, bias = UNIFORM["below zero"]
    reading = compare(thresholded(rows, FLAT, tmp_path / "m.onnx", out_scale=scale, out_bias=bias))
    assert not reading.graph.of(Affine)
    assert (only(reading.graph, Quantise).qmin, only(reading.graph, Quantise).qmax) == (-8, 7)


OWN = np.sort(np.random.default_rng(3).normal(0, 1, (3, 5)))


@pytest.mark.parametrize(
    ("layout", "shape"),
    [("NCHW", IMAGE), ("NHWC", ("N", 4, 4, 3)), ("NC", ("N", 3)), ("NHWC", ("N", 3)), ("NCHW", ("N", 4, 3))],
    ids=str,
)
@pytest.mark.parametrize("rows", [OWN, OWN[:1], OWN[:, :1]], ids=["each", "one row", "one threshold"])
def test_thresholds_at_own_distances_stay(
    rows: Array, layout: str, shape: tuple[int | str, ...], tmp_path: Path
) -> None:
    path = thresholded(rows, shape, tmp_path / "m.onnx", layout, out_scale=2.0, out_bias=-1.0, out_dtype="BIPOLAR")
    sizes = tuple(int(size) for size in shape[1:])
    reading = compare(path, x=at_and_beside(np.asarray(rows, np.float32), sizes))
    steps = only(reading.graph, Steps)
    assert steps.base == -1
    assert set(steps.heights) == {2.0}


def test_thresholds_at_nearly_one_distance_stay(tmp_path: Path) -> None:
    rows = np.array([[1.0, 2.0, 3.001, 4.0]])
    assert compare(thresholded(rows, FLAT, tmp_path / "m.onnx")).graph.of(Steps)


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", ELSEWHERE)
def test_every_domain_without_its_opset(domain: str, tmp_path: Path) -> None:
    m = ModelBuilder(FLAT, opset=9)
    y = m.node("DebugMarker", quant(m, "x", 0.25, domain=domain), domain=domain, export_debug_name="here")
    reading = compare(save(m, y, tmp_path / "m.onnx", rank=2))
    assert [(record.op, record.into) for record in reading.records] == [
        ("Quant", "Quant_1"),
        ("DebugMarker", "Quant_1"),
    ]


def test_which_executor(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    plain = save(m, m.node("Relu", "x"), tmp_path / "plain.onnx", rank=2)
    assert isinstance(executor(plain), OnnxRuntime)
    inner = quant(m, "x", 0.25)
    path = save(m, m.node("Relu", inner), tmp_path / "m.onnx", rank=2)
    found = executor(path, (inner,))
    assert isinstance(found, OnnxReference)
    x = np.array([[-1.0, 0.3, 0.1, 5.0, 0.2, 0.7]], np.float32)
    values = found.run(x)
    np.testing.assert_array_equal(values[inner], [[-1.0, 0.25, 0.0, 1.75, 0.25, 0.75]])
    np.testing.assert_array_equal(values[found.output], [[0.0, 0.25, 0.0, 1.75, 0.25, 0.75]])


# -- refusals -------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "zero point between codes": ({"zero": 0.5}, "zero point: one whole number from .* expected, found 0.5"),
    "zero points": ({"zero": [0, 1, 2, 3, 4, 5]}, "zero point: one whole number .* found 6 values from 0.0 to 5.0"),
    "bits": ({"bits": 3.5}, "bit width: one whole number from 1 to 32 expected, found 3.5"),
    "too many bits": ({"bits": 33}, "bit width: one whole number from 1 to 32 expected, found 33.0"),
    "no code to choose": ({"bits": 1, "signed": 0, "narrow": 1}, "two codes or more expected"),
    "zero point of a sign": ({"bits": 1, "zero": 1}, "zero point 0 expected of a quantiser of one signed bit, found 1"),
    "rounding": ({"rounding_mode": "STOCHASTIC"}, "rounding_mode: one of ROUND, .* expected, found STOCHASTIC"),
    "scale": ({"scale": -0.1}, "scale must be positive and finite"),
    "scales": ({"scale": np.ones((4, 6))}, "one value for all samples of a batch expected"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_quantisers(name: str, tmp_path: Path) -> None:
    options, message = REFUSED[name]
    m = ModelBuilder(FLAT)
    y = quant(m, "x", **{"scale": 0.25} | options)
    assert re.search(message, refusal(save(m, y, tmp_path / "m.onnx", rank=2)))


def test_refused_minifloats(tmp_path: Path) -> None:
    m = ModelBuilder(FLAT)
    y = m.node("FloatQuant", "x", *(m.constant(v) for v in (1.0, 4.0, 3.0, 7.0)), domain=QONNX)
    message = refusal(save(m, y, tmp_path / "m.onnx", rank=2))
    assert re.search(r"\(FloatQuant\): .*quantise with IntQuant", message)


def test_refused_thresholds(tmp_path: Path) -> None:
    path = thresholded(np.ones((2, 3)), FLAT, tmp_path / "m.onnx")
    assert "finite thresholds (6 or 1, K) expected, found shape (2, 3)" in refusal(path)
