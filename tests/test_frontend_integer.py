"""Ops on integer codes: QOperator, ConvInteger, dynamic quantisation, integer inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from dialects import Network
from models import Array
from onnx import TensorProto, helper
from onnx_case import save

from onnx2snn.frontends.onnx import RULES, OnnxRuntime, Reading, read_onnx
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Conv, Dense, Quantise
from onnx2snn.reference import evaluate

MICROSOFT = "com.microsoft"
IMAGE, FLAT = ("N", 4, 5, 5), ("N", 6)
PADS = [1, 1, 1, 1]
Build = Callable[[Network], str]
TYPES = {np.float32: TensorProto.FLOAT, np.int8: TensorProto.INT8, np.uint8: TensorProto.UINT8}


def read_and_compare(folder: Path, m: Network, output: str, kind: Any = np.float32, into: Any = np.float32) -> Reading:
    """Reads the model and compares outputs: equal, but where float32 cannot tell on which side of a tie a sum lies."""
    path = folder / "m.onnx"
    proto = m.model(output, ((MICROSOFT, 1),))
    proto.graph.input[0].type.tensor_type.elem_type = TYPES[kind]
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info(output, TYPES[into], None))
    onnx.save(proto, str(path))
    x = _samples(tuple(int(size) for size in m.shape[1:]), kind)
    expected = OnnxRuntime(path).run(x)[output]
    axes = [f"axis{i}" for i in range(expected.ndim)]
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info(output, TYPES[into], axes))
    onnx.save(proto, str(path))
    reading = read_onnx(path)
    (name,) = reading.graph.outputs
    values = evaluate(reading.graph, x)
    found = values[name]
    near = _near_ties(reading.graph, values)
    assert near.mean() < 0.01
    np.testing.assert_allclose(found[~near], expected[~near], rtol=1e-5, atol=1e-5)
    assert len(np.unique(found)) > 20
    return reading


def _near_ties(graph: Graph, values: dict[str, Array]) -> Array:
    """Where the last quantiser's input lies within float32 rounding of the middle between two steps."""
    last = graph[graph.outputs[0]]
    if not isinstance(last.op, Quantise):
        return np.zeros(values[last.name].shape, bool)
    counts = values[last.inputs[0]] / last.op.scale
    return abs(abs(counts - np.floor(counts)) - 0.5) < 2.0**-22 * np.maximum(1, abs(counts))


def _samples(shape: tuple[int, ...], kind: Any) -> Array:
    rng = np.random.default_rng(3)
    if np.dtype(kind).kind == "f":
        return rng.normal(0, 1, (64, *shape)).astype(kind)
    return rng.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, (64, *shape)).astype(kind)


# -- QOperator ------------------------------------------------------------------------------------------------------


def weights(m: Network, *shape: int, scale: Any = 0.011, zero: Any = 0, kind: Any = np.int8) -> tuple[str, str, str]:
    """Weights of 7 bits, so that no kernel saturates, their scale(s) and zero point(s)."""
    codes = m.rng.integers(-63, 64, shape) + (128 if kind == np.uint8 else 0)
    return m.constant(codes, kind), *m.grid(scale, zero, kind)


def bias(m: Network, channels: int) -> str:
    return m.whole(channels, top=3000, kind=np.int32)


def codes_in(m: Network, kind: Any = np.uint8) -> tuple[str, str, str]:
    grid = m.grid(0.0231, 117 if kind == np.uint8 else -9, kind)
    return m.codes("x", grid), *grid


def small(m: Network, op: str, *operands: str, **attributes: Any) -> str:
    """An op whose output lies on a grid of its own, dequantised."""
    grid = m.grid(0.0373, 121)
    domain = "" if ("", op) in RULES else MICROSOFT
    return m.back(m.node(op, *operands, *grid, domain=domain, **attributes), grid)


def conv_of(**chosen: Any) -> Build:
    def build(m: Network) -> str:
        x = codes_in(m)
        grid = m.grid(0.0373, 121)
        w = weights(m, 3, 4, 3, 3, **chosen)
        return m.back(m.node("QLinearConv", *x, *w, *grid, bias(m, 3), pads=PADS), grid)

    return build


def gemm_of(transposed: int, real: bool = False, **chosen: Any) -> Build:
    def build(m: Network) -> str:
        x = codes_in(m)
        w = weights(m, *((5, 6) if transposed else (6, 5)), **chosen)
        extra = {"domain": MICROSOFT, "transB": transposed, "alpha": 0.7}
        if real:
            return m.node("QGemm", *x, *w, bias(m, 5), **extra)
        grid = m.grid(0.0373, 121)
        return m.back(m.node("QGemm", *x, *w, bias(m, 5), *grid, **extra), grid)

    return build


def two(op: str, constant: bool) -> Build:
    def build(m: Network) -> str:
        a = codes_in(m)
        grid = m.grid(0.0311, 99)
        b = (
            (m.whole(4, 5, 5, top=90), *m.grid(0.017, 3, np.int8))
            if constant
            else (m.codes(m.node("Relu", "x"), grid), *grid)
        )
        if constant:
            b = (m.constant(m.rng.integers(0, 256, (4, 5, 5)), np.uint8), *m.grid(0.017, 77))
        return small(m, op, *a, *b)

    return build


def concat(m: Network) -> str:
    a, grid, out = codes_in(m), m.grid(0.0311, 99), m.grid(0.0271, 113)
    b = (m.codes(m.node("Relu", "x"), grid), *grid)
    return m.back(m.node("QLinearConcat", *out, *a, *b, domain=MICROSOFT, axis=1), out)


def matmul_float(m: Network) -> str:
    codes, scale, zero = codes_in(m)
    w, w_scale, w_zero = weights(m, 6, 5, scale=m.scales(5, 0.011), zero=np.zeros(5))
    operands = (codes, w, scale, w_scale, zero, w_zero, m.real(5))
    return m.node("MatMulIntegerToFloat", *operands, domain=MICROSOFT)


PER_CHANNEL = np.array([0.011, 0.007, 0.019], np.float32)
CASES: dict[str, tuple[tuple[int | str, ...], Build]] = {
    "QLinearConv": (IMAGE, conv_of()),
    "QLinearConv per channel": (IMAGE, conv_of(scale=PER_CHANNEL)),
    "QLinearConv uint8 weights": (IMAGE, conv_of(zero=131, kind=np.uint8)),
    "QLinearConv int8": (
        IMAGE,
        lambda m: small_s8(m, "QLinearConv", *codes_in(m, np.int8), *weights(m, 3, 4, 3, 3), last=bias(m, 3)),
    ),
    "QLinearConv groups": (IMAGE, lambda m: small(m, "QLinearConv", *codes_in(m), *weights(m, 4, 1, 3, 3), group=4)),
    "QLinearMatMul": (FLAT, lambda m: small(m, "QLinearMatMul", *codes_in(m), *weights(m, 6, 5))),
    "QLinearMatMul per column": (
        FLAT,
        lambda m: small(m, "QLinearMatMul", *codes_in(m), *weights(m, 6, 5, scale=m.scales(5, 0.011))),
    ),
    "QGemm": (FLAT, gemm_of(0)),
    "QGemm transposed": (FLAT, gemm_of(1, scale=np.linspace(0.005, 0.02, 5, dtype=np.float32))),
    "QGemm real": (FLAT, gemm_of(0, real=True)),
    "MatMulIntegerToFloat": (FLAT, matmul_float),
    "QLinearAdd": (IMAGE, two("QLinearAdd", constant=False)),
    "QLinearAdd constant": (IMAGE, two("QLinearAdd", constant=True)),
    "QLinearMul constant": (IMAGE, two("QLinearMul", constant=True)),
    "QLinearConcat": (IMAGE, concat),
    "QLinearGlobalAveragePool": (IMAGE, lambda m: small(m, "QLinearGlobalAveragePool", *codes_in(m))),
    "QLinearAveragePool": (
        IMAGE,
        lambda m: small(m, "QLinearAveragePool", *codes_in(m), kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    ),
}

CASES |= {
    "QLinearLeakyRelu": (IMAGE, lambda m: small(m, "QLinearLeakyRelu", *codes_in(m), alpha=0.13)),
    "QLinearSigmoid": (IMAGE, lambda m: on_unit(m, "QLinearSigmoid", *codes_in(m))),
    "QLinearSoftmax": (FLAT, lambda m: on_unit(m, "QLinearSoftmax", *codes_in(m), axis=-1, opset=13)),
}


def on_unit(m: Network, op: str, *operands: str, **attributes: Any) -> str:
    """An op whose output lies in [0, 1]."""
    grid = m.grid(1 / 256, 0)
    return m.back(m.node(op, *operands, *grid, domain=MICROSOFT, **attributes), grid)


def small_s8(m: Network, op: str, *operands: str, last: str) -> str:
    grid = m.grid(0.0373, -7, np.int8)
    return m.back(m.node(op, *operands, *grid, last), grid)


@pytest.mark.parametrize("name", CASES)
def test_an_integer_op_reads_as_onnx_runtime_runs_it(name: str, tmp_path: Path) -> None:
    shape, build = CASES[name]
    m = Network(shape, opset=13)
    read_and_compare(tmp_path, m, build(m))


# -- ops that move codes --------------------------------------------------------------------------------------------


def pooled(m: Network, x: str) -> str:
    return m.node("MaxPool", x, kernel_shape=[2, 2])


MOVES: dict[str, Callable[[Network, str], str]] = {
    "MaxPool": pooled,
    "Flatten": lambda m, x: m.node("Flatten", x),
    "Reshape": lambda m, x: m.node("Reshape", x, m.constant([0, -1], np.int64)),
    "Unsqueeze": lambda m, x: m.node("Unsqueeze", x, m.constant([1], np.int64)),
    "Concat": lambda m, x: m.node("Concat", x, x, axis=1),
    "Transpose": lambda m, x: m.node("Transpose", x, perm=[0, 2, 3, 1]),
    "Slice": lambda m, x: m.node("Slice", x, *(m.constant([n], np.int64) for n in (1, 4, 2))),
    "Pad": lambda m, x: m.node("Pad", x, m.constant([0, 0, 1, 1, 0, 0, 0, 2], np.int64), m.constant(117, np.uint8)),
    "Pad with another code": lambda m, x: m.node("Pad", x, m.constant([0, 0, 1, 1, 0, 0, 0, 2], np.int64)),
    "several": lambda m, x: m.node("Flatten", pooled(m, m.node("Concat", x, x, axis=1))),
}


@pytest.mark.parametrize("name", MOVES)
def test_codes_that_move_are_quantised_once(name: str, tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    grid = m.grid(0.0231, 117)
    graph = read_and_compare(tmp_path, m, m.back(MOVES[name](m, m.codes("x", grid)), grid)).graph
    assert len(graph.of(Quantise)) == 1


def test_codes_with_several_readers_are_quantised_once(tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    grid = m.grid(0.0231, 117)
    codes = m.codes("x", grid)
    y = m.node("Add", m.back(codes, grid), m.back(codes, grid))
    y = m.node("Add", y, m.back(m.node("Identity", codes), grid))
    assert len(read_and_compare(tmp_path, m, y).graph.of(Quantise)) == 1


def test_moved_codes_can_be_clipped(tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    grid = m.grid(0.0231, 117)
    codes = m.node("Clip", pooled(m, m.codes("x", grid)), m.constant(99, np.uint8), m.constant(180, np.uint8))
    read_and_compare(tmp_path, m, m.back(codes, grid))


def test_codes_of_two_grids_cannot_be_concatenated(tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    a, b = m.grid(0.0231, 117), m.grid(0.02, 117)
    y = m.back(m.node("Concat", m.codes("x", a), m.codes("x", b), axis=1), a)
    with pytest.raises(Exception, match="codes on one grid expected, found several; dequantise them first"):
        read_onnx(save(m, y, tmp_path / "m.onnx", rank=4))


# -- ConvInteger and MatMulInteger ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("factors", ["product in the graph", "one factor", "per channel"])
def test_conv_integer(factors: str, kind: Any, tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    x, scale, zero = codes_in(m, np.uint8)
    w, _, w_zero = weights(m, 3, 4, 3, 3, kind=kind, zero=5)
    y = m.node("Cast", m.node("ConvInteger", x, w, zero, w_zero, pads=PADS), to=TensorProto.FLOAT)
    if factors == "product in the graph":
        y = m.node("Mul", y, m.node("Mul", scale, m.constant(0.011)))
    elif factors == "one factor":
        y = m.node("Mul", m.constant([0.0231 * 0.011]), y)
    else:
        y = m.node("Mul", y, m.constant(0.0231 * m.scales(3).reshape(1, 3, 1, 1)))
    graph = read_and_compare(tmp_path, m, y).graph
    (node,) = graph.of(Conv)
    assert isinstance(node.op, Conv)
    assert node.op.scale is not None


@pytest.mark.parametrize("zeros", [False, True])
def test_matmul_integer(zeros: bool, tmp_path: Path) -> None:
    m = Network(FLAT, opset=13)
    grid = m.grid(0.0231, 0)
    codes = m.codes("x", grid)
    given = [grid[1], m.constant([3, -4, 0, 9, 1], np.int8)] if zeros else []
    y = m.node("Cast", m.node("MatMulInteger", codes, m.whole(6, 5, top=60), *given), to=TensorProto.FLOAT)
    graph = read_and_compare(tmp_path, m, m.node("Mul", y, m.constant(0.0231 * 0.011))).graph
    (node,) = graph.of(Dense)
    assert isinstance(node.op, Dense)
    assert node.op.weight.dtype == np.int8


# -- dynamic --------------------------------------------------------------------------------------------------------


def dynamic(m: Network, x: str = "x") -> list[str]:
    names = ["codes", "scale", "zero"]
    m.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], names, name="/Dynamic"))
    return names


def test_a_dynamic_quantiser_is_left_out_and_noted(tmp_path: Path) -> None:
    m = Network(FLAT, opset=13)
    codes, scale, zero = dynamic(m)
    y = m.node("Cast", m.node("MatMulInteger", codes, m.whole(6, 5, top=60), zero), to=TensorProto.FLOAT)
    path = save(m, m.node("Mul", y, m.node("Mul", m.constant(0.02), scale)), tmp_path / "m.onnx", rank=2)
    reading = read_onnx(path)
    assert not reading.graph.of(Quantise)
    (note,) = [record.note for record in reading.records if record.note]
    assert note.startswith("its scale depends on the data: left out")
    (name,) = reading.graph.outputs
    x = _samples((6,), np.float32)
    runtime = OnnxRuntime(path)
    step = (x.max() - x.min()) / 255
    errors = np.abs(evaluate(reading.graph, x)[name] - runtime.run(x)[runtime.output])
    assert errors.max() <= 6 * 60 * 0.02 * step / 2 + 1e-6


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda m, c, s, z: m.node("Mul", "x", s), "a scale worked out from the data multiplies something"),
        (lambda m, c, s, z: m.node("Relu", m.node("Cast", z, to=1)), "found a zero point worked out from the data"),
        (lambda m, c, s, z: m.node("DequantizeLinear", c, m.constant(0.1), z), "the scale of the dynamic quantiser"),
    ],
)
def test_what_a_dynamic_scale_cannot_do(build: Any, words: str, tmp_path: Path) -> None:
    m = Network(FLAT, opset=13)
    y = build(m, *dynamic(m))
    with pytest.raises(Exception, match=words):
        read_onnx(save(m, y, tmp_path / "m.onnx", rank=2))


# -- integer inputs and outputs -------------------------------------------------------------------------------------


def test_an_integer_input_that_is_dequantised(tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    y = m.back(m.node("Flatten", "x"), m.grid(0.0231, -11, np.int8))
    graph = read_and_compare(tmp_path, m, y, np.int8).graph
    (node,) = graph.of(Quantise)
    assert isinstance(node.op, Quantise)
    assert (node.op.zero_point, node.op.qmin, node.op.qmax) == (-11, -128, 127)


def test_an_image_that_is_cast(tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    y = m.node("Mul", m.node("Cast", "x", to=TensorProto.FLOAT), m.constant(1 / 255))
    graph = read_and_compare(tmp_path, m, y, np.uint8).graph
    (node,) = graph.of(Quantise)
    assert isinstance(node.op, Quantise)
    assert (node.op.zero_point, node.op.qmin, node.op.qmax) == (0, 0, 255)


def test_an_output_of_codes(tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    read_and_compare(tmp_path, m, pooled(m, m.codes("x", m.grid(0.0231, 117))), into=np.uint8)


# -- inner tensors --------------------------------------------------------------------------------------------------


def test_inner_codes_are_shown_as_values(tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    grid = m.grid(0.0231, 117)
    codes = m.codes("x", grid)
    path = save(m, m.back(pooled(m, codes), grid), tmp_path / "m.onnx", rank=4)
    found = OnnxRuntime(path, (codes, "maxpool1")).run(_samples((4, 5, 5), np.float32))
    np.testing.assert_array_equal(found["maxpool1"], found["dequantizelinear1"])
    assert found[codes].dtype == np.float32


def test_an_output_of_codes_is_shown_both_ways(tmp_path: Path) -> None:
    m = Network(IMAGE, opset=13)
    codes = m.codes("x", m.grid(0.0231, 117))
    path = save(m, codes, tmp_path / "m.onnx", kind=TensorProto.FLOAT, rank=4)
    proto = onnx.load(str(path))
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save(proto, str(path))
    runtime = OnnxRuntime(path, (codes,))
    found = runtime.run(_samples((4, 5, 5), np.float32))
    assert found[runtime.output].dtype == np.uint8
    expected = (found[runtime.output].astype(np.float32) - 117) * np.float32(0.0231)
    np.testing.assert_array_equal(found[codes], expected)
