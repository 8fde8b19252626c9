"""What cannot be read: one clear line naming the file, the node and the op, and what was expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from models import ModelBuilder
from onnx_case import save
from onnx_files import refusal

IMAGE, SERIES, FLAT = ("N", 4, 6, 6), ("N", 3, 4), ("N", 6)
Build = Callable[[ModelBuilder], str]


def real(m: ModelBuilder, *shape: int) -> str:
    return m.constant(m.rng.normal(0, 0.5, shape))


def axes(m: ModelBuilder, *numbers: int) -> str:
    return m.constant(numbers, np.int64)


# -- nodes ----------------------------------------------------------------------------------------------------------


def codes(m: ModelBuilder, scale: float = 0.1, zero: int = 0, x: str = "x") -> str:
    return m.node("QuantizeLinear", x, m.constant(scale), m.constant(zero, np.uint8))


def back(m: ModelBuilder, x: str, scale: float = 0.1, zero: int = 0) -> str:
    return m.node("DequantizeLinear", x, m.constant(scale), m.constant(zero, np.uint8))


def with_nan(m: ModelBuilder, *shape: int) -> str:
    values = np.ones(shape)
    values[0, 0] = np.nan
    return m.constant(values)


def two_zero_points(m: ModelBuilder) -> str:
    grid = (m.constant([0.1, 0.2, 0.3]), m.constant([0, 1, 2], np.uint8))
    return m.node("DequantizeLinear", m.node("QuantizeLinear", "x", *grid, axis=1), *grid, axis=1)


# name: shape of the input, the op that is refused, how the model is built, what is said
NODES: dict[str, tuple[tuple[int | str, ...], str, Build, str]] = {
    "weights from the input": (
        IMAGE,
        "Conv",
        lambda m: m.node("Conv", "x", m.node("Relu", "x")),
        "constant weights expected, found weights that depend on the input",
    ),
    "matrix from the input": (("N", 6, 6), "MatMul", lambda m: m.node("MatMul", "x", "x"), "constant weights expected"),
    "NaN weights of Conv": (
        IMAGE,
        "Conv",
        lambda m: m.node("Conv", "x", with_nan(m, 3, 4, 2, 2)),
        "(C1) weight (3, 4, 2, 2) must be (out, in, *kernel) and finite",
    ),
    "NaN weights of Gemm": (
        FLAT,
        "Gemm",
        lambda m: m.node("Gemm", "x", with_nan(m, 6, 3)),
        "(C1) weight (3, 6) must be (out, in) and finite",
    ),
    "NaN in a constant": (FLAT, "Add", lambda m: m.node("Add", "x", with_nan(m, 1, 6)), "shift must be finite"),
    "NaN under a quantiser": (
        FLAT,
        "DequantizeLinear",
        lambda m: m.node("Gemm", "x", back(m, codes(m, 0.1, 0, with_nan(m, 6, 3)))),
        "finite weights expected, found NaN or infinity",
    ),
    "scale zero": (
        FLAT,
        "QuantizeLinear",
        lambda m: back(m, codes(m, 0), 0),
        "scale must be positive and finite, found 0",
    ),
    "scale negative": (
        FLAT,
        "QuantizeLinear",
        lambda m: back(m, codes(m, -1), -1),
        "must be positive and finite, found -1",
    ),
    "scale infinite": (
        FLAT,
        "QuantizeLinear",
        lambda m: back(m, codes(m, np.inf), 1),
        "positive and finite, found inf",
    ),
    "scale NaN": (FLAT, "QuantizeLinear", lambda m: back(m, codes(m, np.nan), 1), "positive and finite, found nan"),
    "scale zero of weights": (
        FLAT,
        "DequantizeLinear",
        lambda m: m.node("Gemm", "x", m.node("DequantizeLinear", m.constant(np.ones((6, 3)), np.int8), m.constant(0))),
        "scale must be positive and finite, found 0.0",
    ),
    "another scale behind": (
        FLAT,
        "DequantizeLinear",
        lambda m: back(m, codes(m, 0.1), 0.2),
        "scale and zero point of the quantiser before expected, found scale [0.2] and zero point [0]",
    ),
    "another zero point behind": (
        FLAT,
        "DequantizeLinear",
        lambda m: back(m, codes(m, 0.1, 3), 0.1, 4),
        "scale and zero point of the quantiser before expected, found scale [0.1] and zero point [4]",
    ),
    "codes not dequantised": (
        SERIES,
        "Relu",
        lambda m: m.node("Relu", codes(m)),
        "a real-valued feature expected, found integer codes",
    ),
    "an empty range": (
        FLAT,
        "Clip",
        lambda m: back(m, m.node("Clip", codes(m), m.constant(9, np.uint8), m.constant(9, np.uint8))),
        "Clip leaves an empty range [9, 9]",
    ),
    "several zero points": (
        SERIES,
        "DequantizeLinear",
        two_zero_points,
        "one zero point for all channels of a feature expected, found several",
    ),
    "scales that do not fit": (
        SERIES,
        "DequantizeLinear",
        lambda m: m.quantise("x", [0.1, 0.2]),
        "2 scales do not fit axis 1 of a feature (batch, 3, 4)",
    ),
    "blocks of scales": (
        ("N", 4),
        "QuantizeLinear",
        lambda m: m.node(
            "DequantizeLinear", m.node("QuantizeLinear", "x", m.constant([[0.1, 0.2]]), block_size=2), "x"
        ),
        "blocked quantisation is not supported",
    ),
    "training mode": (
        FLAT,
        "BatchNormalization",
        lambda m: m.node("BatchNormalization", "x", *(m.constant(np.ones(6)) for _ in range(4)), training_mode=1),
        "training_mode = 0 expected, found 1",
    ),
    "transA": (FLAT, "Gemm", lambda m: m.node("Gemm", "x", real(m, 4, 3), transA=1), "transA = 0 expected, found 1"),
    "another kernel shape": (
        IMAGE,
        "Conv",
        lambda m: m.node("Conv", "x", real(m, 3, 4, 2, 2), kernel_shape=[3, 3]),
        "kernel_shape (3, 3) does not fit weight (3, 4, 2, 2)",
    ),
    "a bias that does not fit": (
        IMAGE,
        "Conv",
        lambda m: m.node("Conv", "x", real(m, 3, 4, 2, 2), real(m, 2)),
        "bias of shape (3,) expected, found (2,)",
    ),
    "channels that do not fit": (
        IMAGE,
        "Conv",
        lambda m: m.node("Conv", "x", real(m, 3, 5, 2, 2)),
        "(C3) input (4, 6, 6) does not fit weight (3, 5, 2, 2)",
    ),
    "a window that does not fit": (
        IMAGE,
        "MaxPool",
        lambda m: m.node("MaxPool", "x", kernel_shape=[7, 7]),
        "(W5) window (7, 7) does not fit into (6, 6)",
    ),
    "features of two shapes": (
        IMAGE,
        "Add",
        lambda m: m.node("Add", "x", m.node("MaxPool", "x", kernel_shape=[5, 1])),
        "operands that broadcast to each other expected, found [(4, 6, 6), (4, 2, 6)]",
    ),
    "a constant for each sample": (
        ("N", 3),
        "Add",
        lambda m: m.node("Add", "x", real(m, 2, 3)),
        "term (2, 3): one value for all samples of a batch expected",
    ),
    "division by zero": (
        FLAT,
        "Div",
        lambda m: m.node("Div", "x", m.constant(np.arange(6))),
        "a divisor without zeros",
    ),
    "concatenated batches": (
        FLAT,
        "Concat",
        lambda m: m.node("Concat", "x", "x", axis=0),
        "an axis after the batch axis expected, found axis 0",
    ),
    "a constant concatenated": (
        FLAT,
        "Concat",
        lambda m: m.node("Concat", "x", real(m, 1, 6), axis=1),
        "a real-valued feature expected, found a constant",
    ),
    "flattened elsewhere": (IMAGE, "Flatten", lambda m: m.node("Flatten", "x", axis=2), "axis = 1 expected, found 2"),
    "a reshaped batch": (
        FLAT,
        "Reshape",
        lambda m: m.node("Reshape", "x", axes(m, -1, 3)),
        "a shape that keeps the batch axis and 6 entries expected, found [-1, 3]",
    ),
    "a batch of one in a shape": (
        IMAGE,
        "Reshape",
        lambda m: m.node("Reshape", "x", axes(m, 1, -1)),
        "a shape that keeps the batch axis of any samples expected, found [1, -1]",
    ),
    "another batch than the input's": (
        (2, 4),
        "Reshape",
        lambda m: m.node("Reshape", "x", axes(m, 4, -1)),
        "a shape that keeps the batch axis of 2 samples expected, found [4, -1]",
    ),
    "squeezed without axes": ((1, 4, 1), "Squeeze", lambda m: m.node("Squeeze", "x"), "axes expected, found none"),
    "an axis in front": (FLAT, "Unsqueeze", lambda m: m.node("Unsqueeze", "x", axes(m, 0)), "found axis 0"),
    "mean over samples": (
        IMAGE,
        "ReduceMean",
        lambda m: m.node("ReduceMean", "x", axes(m, 0, 1)),
        "axes after the batch axis expected, found [0, 1]",
    ),
    "bilinear upsampling": (
        IMAGE,
        "Resize",
        lambda m: m.node("Resize", "x", "", m.constant([1, 1, 2, 2]), mode="linear"),
        "mode nearest expected, found linear",
    ),
    "samples in another order": (
        FLAT,
        "Transpose",
        lambda m: m.node("Transpose", "x", perm=[1, 0]),
        "a permutation that keeps the batch axis first expected, found [1, 0]",
    ),
    "samples padded": (
        FLAT,
        "Pad",
        lambda m: m.node("Pad", "x", axes(m, 1, 0, 0, 0)),
        "pads after the batch axis expected, found [1, 0, 0, 0]",
    ),
    "samples cut off": (
        FLAT,
        "Slice",
        lambda m: m.node("Slice", "x", axes(m, 1), axes(m, 5)),
        "slices after the batch axis expected, found [1:5:1] of it",
    ),
    "two exponents": (
        FLAT,
        "Pow",
        lambda m: m.node("Pow", "x", m.constant([1, 2, 3, 4, 5, 6])),
        "one exponent expected, found shape (6,)",
    ),
    "padding that counts, rounded up": (
        IMAGE,
        "AveragePool",
        lambda m: m.node("AveragePool", "x", kernel_shape=[4, 4], strides=[3, 3], ceil_mode=1, count_include_pad=1),
        "count_include_pad with ceil_mode is not supported; export with ceil_mode = 0",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_a_node_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    shape, op, build, words = NODES[name]
    m = ModelBuilder(shape, opset=21 if "blocks" in name else 18)
    message = refusal(save(m, build(m), tmp_path / "m.onnx", rank=2))
    assert f"> node '/{op}_1' ({op})" in message
    assert words in message
