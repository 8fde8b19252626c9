"""A model for every ONNX op that is read, in the forms that matter: shape of its input, opset, and its nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from models import ModelBuilder

Build = Callable[[ModelBuilder], str]
Shape = Sequence[int | str]
IMAGE, SERIES, FLAT = ("N", 4, 7, 6), ("N", 4, 9), ("N", 6)
CASES: dict[str, tuple[Shape, int, Build]] = {}


def case(name: str, shape: Shape, build: Build, opset: int = 18) -> None:
    assert name not in CASES
    CASES[name] = (shape, opset, build)


def real(m: ModelBuilder, *shape: int) -> str:
    """A constant of real numbers."""
    return m.constant(m.rng.normal(0, 0.5, shape))


def axes(m: ModelBuilder, *numbers: int) -> str:
    return m.constant(numbers, np.int64)


# -- convolution ----------------------------------------------------------------------------------------------------

WINDOWS_2D: dict[str, dict[str, Any]] = {
    "plain": {},
    "strides": {"strides": [2, 3]},
    "pads": {"pads": [1, 1, 1, 1]},
    "uneven pads": {"pads": [0, 1, 2, 1], "strides": [2, 1]},
    "same upper": {"auto_pad": "SAME_UPPER", "strides": [2, 1]},
    "same lower": {"auto_pad": "SAME_LOWER", "strides": [2, 1]},
    "valid": {"auto_pad": "VALID", "strides": [2, 2]},
}
WINDOWS_1D: dict[str, dict[str, Any]] = {
    "plain": {},
    "strides": {"strides": [2]},
    "pads": {"pads": [1, 2], "strides": [3]},
    "same upper": {"auto_pad": "SAME_UPPER", "strides": [2]},
    "same lower": {"auto_pad": "SAME_LOWER", "strides": [2]},
    "valid": {"auto_pad": "VALID"},
}
CONV_ONLY: dict[str, dict[str, Any]] = {
    "dilations": {"dilations": [2, 1], "pads": [1, 0, 1, 0]},
    "groups": {"group": 2},
    "depthwise": {"group": 4, "pads": [1, 1, 1, 1]},
    "kernel shape": {"kernel_shape": [3, 2]},
    "explicit pads": {"auto_pad": "NOTSET", "pads": [1, 0, 0, 1]},
}


def conv(name: str, shape: Shape, kernel: Sequence[int], attributes: dict[str, Any]) -> None:
    inside = 4 // attributes.get("group", 1)

    def build(m: ModelBuilder) -> str:
        return m.node("Conv", "x", real(m, 8, inside, *kernel), real(m, 8), **attributes)

    def quantised(m: ModelBuilder) -> str:
        return m.conv("x", 4, 8, kernel, bias=False, **attributes)

    case(f"Conv {name}", shape, build)
    case(f"Conv {name}, whole weights", shape, quantised)


for title, window in (WINDOWS_2D | CONV_ONLY).items():
    conv(f"2d {title}", IMAGE, (3, 2), window)
for title, window in WINDOWS_1D.items():
    conv(f"1d {title}", SERIES, (3,), window)
conv("1d dilations", SERIES, (3,), {"dilations": [3], "group": 2})
conv("3d", ("N", 4, 3, 4, 3), (2, 2, 2), {"strides": [1, 2, 1]})

# -- dense ----------------------------------------------------------------------------------------------------------

case("Gemm", FLAT, lambda m: m.node("Gemm", "x", real(m, 6, 5)))
case("Gemm transB", FLAT, lambda m: m.node("Gemm", "x", real(m, 5, 6), real(m, 5), transB=1))
case("Gemm bias (1, out)", FLAT, lambda m: m.node("Gemm", "x", real(m, 6, 5), real(m, 1, 5)))
case("Gemm bias of one number", FLAT, lambda m: m.node("Gemm", "x", real(m, 6, 5), real(m, 1)))
case("Gemm alpha, beta", FLAT, lambda m: m.node("Gemm", "x", real(m, 6, 5), real(m, 5), alpha=0.3, beta=-2.0))
case("Gemm whole weights", FLAT, lambda m: m.gemm("x", 6, 5))
case("Gemm whole weights, not transposed", FLAT, lambda m: m.node("Gemm", "x", m.weights((6, 5), axis=1)))
case("Gemm whole weights, alpha", FLAT, lambda m: m.node("Gemm", "x", m.weights((5, 6)), transB=1, alpha=-0.7))
case("Gemm one scale", FLAT, lambda m: m.node("Gemm", "x", m.weights((5, 6), per_channel=False), transB=1))
case("Gemm scales along the input", FLAT, lambda m: m.node("Gemm", "x", m.weights((6, 5), axis=0)))
case("MatMul, Add", FLAT, lambda m: m.node("Add", m.node("MatMul", "x", real(m, 6, 5)), real(m, 5)))
case("MatMul whole weights", FLAT, lambda m: m.node("MatMul", "x", m.weights((6, 5), axis=1)))
case("MatMul over rows", SERIES, lambda m: m.node("MatMul", "x", real(m, 9, 5)))

# -- elementwise ----------------------------------------------------------------------------------------------------

case("BatchNormalization image", IMAGE, lambda m: m.batch_norm("x", 4))
case("BatchNormalization flat", FLAT, lambda m: m.batch_norm("x", 6, [1, -1, 0, 2, 0.5, -0.5]))
case(
    "BatchNormalization epsilon",
    FLAT,
    lambda m: m.node("BatchNormalization", "x", *(m.constant(np.full(6, v)) for v in (1, 2, 3, 0.1)), epsilon=0.1),
)
case("Relu", IMAGE, lambda m: m.node("Relu", "x"))
case("Clip both", FLAT, lambda m: m.node("Clip", "x", m.constant(-0.5), m.constant(0.7)))
case("Clip low", FLAT, lambda m: m.node("Clip", "x", m.constant(-0.5)))
case("Clip high", FLAT, lambda m: m.node("Clip", "x", "", m.constant(0.7)))
case("Clip neither", FLAT, lambda m: m.node("Clip", "x"))
case("Clip attributes", FLAT, lambda m: m.node("Clip", "x", min=0.0, max=0.6), opset=9)
case("Clip attributes, one", FLAT, lambda m: m.node("Clip", "x", max=0.6), opset=10)

OPERANDS: dict[str, tuple[int, ...]] = {
    "number": (),
    "channel": (4, 1, 1),
    "batched": (1, 4, 1, 1),
    "last": (6,),
    "full": (4, 7, 6),
}
for title, size in OPERANDS.items():
    for op in ("Add", "Sub", "Mul", "Div"):
        case(f"{op} {title}", IMAGE, lambda m, o=op, s=size: m.node(o, "x", real(m, *s)))
    for op in ("Add", "Sub", "Mul"):
        case(f"{op} {title} from the left", IMAGE, lambda m, o=op, s=size: m.node(o, real(m, *s), "x"))

case("Add of features", FLAT, lambda m: m.node("Add", "x", m.node("Relu", "x")))
case("Add of a feature to itself", FLAT, lambda m: m.node("Add", "x", "x"))
case("Sub of features", FLAT, lambda m: m.node("Sub", "x", m.node("Relu", "x")))
case("Sum", FLAT, lambda m: m.node("Sum", "x", real(m, 6), m.node("Relu", "x"), "x"))
case("Concat", IMAGE, lambda m: m.node("Concat", "x", m.node("Relu", "x"), "x", axis=1))
case("Concat last axis", IMAGE, lambda m: m.node("Concat", "x", m.node("Relu", "x"), axis=-1))
case("Identity", FLAT, lambda m: m.node("Identity", "x"))
case("Dropout", FLAT, lambda m: m.node("Dropout", "x", m.constant(0.5)))
case("Dropout attribute", FLAT, lambda m: m.node("Dropout", "x", ratio=0.5), opset=10)
case("Cast", FLAT, lambda m: m.node("Relu", m.node("Cast", "x", to=onnx.TensorProto.FLOAT)))

# -- shapes ---------------------------------------------------------------------------------------------------------

case("Flatten", IMAGE, lambda m: m.node("Flatten", "x"))
case("Flatten from behind", IMAGE, lambda m: m.node("Flatten", "x", axis=-3))
case("Reshape 0, -1", IMAGE, lambda m: m.node("Reshape", "x", axes(m, 0, -1)))
case("Reshape -1, sizes", IMAGE, lambda m: m.node("Reshape", "x", axes(m, -1, 28, 6)))
case("Reshape 0 inside", IMAGE, lambda m: m.node("Reshape", "x", axes(m, -1, 0, 42)))
case("Reshape of a fixed batch", (3, 4, 7), lambda m: m.node("Reshape", "x", axes(m, 3, -1)))
case("Reshape attribute-like opset 9", IMAGE, lambda m: m.node("Reshape", "x", axes(m, 0, 4, -1)), opset=9)
case("Unsqueeze", FLAT, lambda m: m.node("Unsqueeze", "x", axes(m, 1, 3)))
case("Unsqueeze from behind", FLAT, lambda m: m.node("Unsqueeze", "x", axes(m, -1)))
case("Unsqueeze attribute", FLAT, lambda m: m.node("Unsqueeze", "x", axes=[1]), opset=11)
case("Squeeze", ("N", 4, 1, 1), lambda m: m.node("Squeeze", "x", axes(m, 2, 3)))
case("Squeeze from behind", ("N", 4, 1), lambda m: m.node("Squeeze", "x", axes(m, -1)))
case("Squeeze attribute", ("N", 4, 1), lambda m: m.node("Squeeze", "x", axes=[2]), opset=11)

case("Expand", ("N", 4, 1), lambda m: m.node("Expand", "x", axes(m, 1, 4, 5)))
case("Expand of a row", FLAT, lambda m: m.node("Unsqueeze", m.node("Expand", "x", axes(m, 1, 6)), axes(m, 1)))
case(
    "Shape of a free batch",
    IMAGE,
    lambda m: m.node(
        "Reshape",
        "x",
        m.node("Concat", m.node("Gather", m.node("Shape", "x"), axes(m, 0)), axes(m, -1, 6), axis=0),
    ),
)

# -- moving entries -------------------------------------------------------------------------------------------------

case("Transpose to channels last", IMAGE, lambda m: m.node("Transpose", "x", perm=[0, 2, 3, 1]))
case("Transpose to the same", IMAGE, lambda m: m.node("Relu", m.node("Transpose", "x", perm=[0, 1, 2, 3])))
case("Slice", IMAGE, lambda m: m.node("Slice", "x", axes(m, 1, -4), axes(m, 4, 6), axes(m, 2, 3), axes(m, 2, 1)))
case("Slice backwards", FLAT, lambda m: m.node("Slice", "x", axes(m, -1), axes(m, -(2**40)), axes(m, 1), axes(m, -2)))
case("Slice of all samples", IMAGE, lambda m: m.node("Slice", "x", axes(m, 0, 1), axes(m, 2**40, 3)))
case("Slice attributes", IMAGE, lambda m: m.node("Slice", "x", starts=[0, 2], ends=[2, 9], axes=[1, 2]), opset=9)
case("Split", IMAGE, lambda m: m.node("Sub", *m.split("x", 2, axis=1)), opset=13)
case("Split count", IMAGE, lambda m: m.node("Sub", *m.split("x", 2, axis=1, num_outputs=2)))
case("Split sizes", FLAT, lambda m: m.node("Concat", *m.split("x", 3, axes(m, 1, 3, 2), axis=-1)[::-1], axis=1))
case(
    "Split attribute", FLAT, lambda m: m.node("Concat", *m.split("x", 2, axis=1, split=[4, 2])[::-1], axis=1), opset=11
)
case("Gather", IMAGE, lambda m: m.node("Gather", "x", axes(m, 3, 0, -2), axis=1))
case("Gather one", IMAGE, lambda m: m.node("Gather", "x", m.constant(2, np.int64), axis=2))
case("Tile", SERIES, lambda m: m.node("Tile", "x", axes(m, 1, 2, 3)))
case("Pad", IMAGE, lambda m: m.node("Pad", "x", axes(m, 0, 0, 1, 2, 0, 1, 0, 3)))
case("Pad with a value", SERIES, lambda m: m.node("Pad", "x", axes(m, 0, 0, 1, 0, 0, 2), m.constant(1.5)))
case("Pad that cuts", IMAGE, lambda m: m.node("Pad", "x", axes(m, 0, 0, -1, 2, 0, 0, -2, -1)))
case("Pad axes", IMAGE, lambda m: m.node("Pad", "x", axes(m, 1, 2), "", axes(m, -1)), opset=18)
case("Pad edge", IMAGE, lambda m: m.node("Pad", "x", axes(m, 0, 0, 1, 2, 0, 0, 0, 3), mode="edge"))
case("Pad reflect", IMAGE, lambda m: m.node("Pad", "x", axes(m, 0, 0, 1, 2, 0, 0, 0, 3), mode="reflect"))
case("Pad attributes", IMAGE, lambda m: m.node("Pad", "x", pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.5), opset=9)
case("DepthToSpace", IMAGE, lambda m: m.node("DepthToSpace", "x", blocksize=2))
case("DepthToSpace CRD", IMAGE, lambda m: m.node("DepthToSpace", "x", blocksize=2, mode="CRD"))
case("SpaceToDepth", ("N", 2, 4, 6), lambda m: m.node("SpaceToDepth", "x", blocksize=2))
for coordinates in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
    for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        settings = {"coordinate_transformation_mode": coordinates, "nearest_mode": nearest}
        case(
            f"Resize {coordinates} {nearest}",
            IMAGE,
            lambda m, s=settings: m.node("Resize", "x", "", m.constant([1.0, 1.0, 2.5, 0.7]), **s),
            opset=19,
        )
case("Resize sizes", IMAGE, lambda m: m.node("Resize", "x", "", "", axes(m, 3, 4, 14, 3)), opset=13)
case("Upsample", IMAGE, lambda m: m.node("Upsample", "x", m.constant([1.0, 1.0, 2.0, 3.0])), opset=9)

for title, window in {
    "plain": {},
    "strides": {"strides": [2, 3]},
    "pads": {"pads": [1, 0, 2, 1], "strides": [2, 2]},
    "more pads than kernel": {"pads": [3, 3, 3, 3]},
    "output padding": {"strides": [2, 2], "output_padding": [1, 0]},
    "output shape": {"strides": [2, 2], "output_shape": [15, 13]},
    "same upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "same lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    "dilations": {"dilations": [2, 1]},
    "groups": {"group": 2, "strides": [2, 1]},
}.items():
    case(
        f"ConvTranspose {title}",
        IMAGE,
        lambda m, w=window: m.node("ConvTranspose", "x", real(m, 4, 3, 3, 2), real(m, 3 * w.get("group", 1)), **w),
    )
case("ConvTranspose whole weights", SERIES, lambda m: m.node("ConvTranspose", "x", m.weights((4, 3, 3), axis=1)))

# -- functions of one feature ---------------------------------------------------------------------------------------

FUNCTIONS = (
    "Abs Ceil Celu Elu Erf Exp Floor HardSigmoid HardSwish Mish Neg Round Selu Sigmoid Sign Softplus Softsign Tanh"
)
for op in [*FUNCTIONS.split(), "ThresholdedRelu", "LeakyRelu"]:
    case(op, IMAGE, lambda m, o=op: m.node(o, "x"))
for op in ("Log", "Sqrt", "Reciprocal"):
    case(op, FLAT, lambda m, o=op: m.node(o, m.node("Add", m.node("Abs", "x"), m.constant(0.1))))
case("Elu alpha", FLAT, lambda m: m.node("Elu", "x", alpha=0.3))
case("Celu alpha", FLAT, lambda m: m.node("Celu", "x", alpha=0.3))
case("HardSigmoid alpha, beta", FLAT, lambda m: m.node("HardSigmoid", "x", alpha=0.4, beta=0.1))
case("Selu gamma", FLAT, lambda m: m.node("Selu", "x", alpha=0.4, gamma=2.0))
case("Gelu", FLAT, lambda m: m.node("Gelu", "x"), opset=20)
case("Gelu tanh", FLAT, lambda m: m.node("Gelu", "x", approximate="tanh"), opset=20)
case("PRelu", IMAGE, lambda m: m.node("PRelu", "x", real(m, 4, 1, 1)))
case("Pow", FLAT, lambda m: m.node("Pow", "x", m.constant(2.0)))
case("Cast to whole numbers", FLAT, lambda m: m.cast(m.cast(m.node("Mul", "x", m.constant(3.0)), "INT64"), "FLOAT"))
case(
    "division of whole numbers",
    FLAT,
    lambda m: m.cast(
        m.node("Div", m.cast(m.node("Mul", "x", m.constant(90.0)), "INT32"), m.constant(7, np.int32)), "FLOAT"
    ),
)
case("Softmax", FLAT, lambda m: m.node("Softmax", "x"))
case("Softmax over channels", IMAGE, lambda m: m.node("Softmax", "x", axis=1))
case("Softmax of old, over the rest", IMAGE, lambda m: m.node("Softmax", "x", axis=2), opset=11)
case("LogSoftmax", FLAT, lambda m: m.node("LogSoftmax", "x", axis=-1))

# -- functions of several features ----------------------------------------------------------------------------------

case("Mul of features", IMAGE, lambda m: m.node("Mul", "x", m.node("Sigmoid", "x")))
case(
    "Mul of a gate",
    IMAGE,
    lambda m: m.node("Mul", m.node("Sigmoid", m.node("GlobalAveragePool", "x")), "x"),
)
case("Div of features", FLAT, lambda m: m.node("Div", "x", m.node("Exp", "x")))
case("one over a feature", FLAT, lambda m: m.node("Div", m.constant(1.0), m.node("Exp", "x")))
for op in ("Min", "Max"):
    case(f"{op} of features", FLAT, lambda m, o=op: m.node(o, "x", m.node("Neg", "x"), m.constant(0.3)))
    case(f"{op} per channel", IMAGE, lambda m, o=op: m.node(o, real(m, 4, 1, 1), "x"))
    case(f"{op} with zero", FLAT, lambda m, o=op: m.node(o, "x", m.constant(0.0)))
for op in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
    case(op, FLAT, lambda m, o=op: m.cast(m.node(o, "x", m.constant(0.2)), "FLOAT"))
case("Not, And", FLAT, lambda m: m.cast(m.node("And", m.positive("x"), m.node("Not", m.positive("x", 0.5))), "FLOAT"))
case("Where", FLAT, lambda m: m.node("Where", m.positive("x"), "x", m.constant(0.25)))
case("Where of constants", FLAT, lambda m: m.node("Where", m.positive("x"), m.constant(2.0), real(m, 6)))
case("a constant that enlarges", ("N", 1, 3), lambda m: m.node("Add", "x", real(m, 4, 1)))

# -- pooling --------------------------------------------------------------------------------------------------------

for title, window in WINDOWS_2D.items():
    strides: dict[str, Any] = {"strides": [2, 2]} | window
    case(f"MaxPool 2d {title}", IMAGE, lambda m, w=strides: m.node("MaxPool", "x", kernel_shape=[3, 2], **w))
    case(f"AveragePool 2d {title}", IMAGE, lambda m, w=strides: m.node("AveragePool", "x", kernel_shape=[3, 2], **w))
for title, window in WINDOWS_1D.items():
    case(f"MaxPool 1d {title}", SERIES, lambda m, w=window: m.node("MaxPool", "x", kernel_shape=[3], **w))
    case(f"AveragePool 1d {title}", SERIES, lambda m, w=window: m.node("AveragePool", "x", kernel_shape=[3], **w))

CEILINGS: dict[str, dict[str, Any]] = {
    "plain": {"kernel_shape": [3, 3], "strides": [2, 2]},
    "pads": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "window in the padding": {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [0, 0, 1, 1]},
    "kernel below stride": {"kernel_shape": [1, 2], "strides": [3, 4]},
}
for title, window in CEILINGS.items():
    case(f"MaxPool ceil_mode {title}", IMAGE, lambda m, w=window: m.node("MaxPool", "x", ceil_mode=1, **w))
    case(f"AveragePool ceil_mode {title}", IMAGE, lambda m, w=window: m.node("AveragePool", "x", ceil_mode=1, **w), 19)
case("MaxPool dilations", IMAGE, lambda m: m.node("MaxPool", "x", kernel_shape=[3, 2], dilations=[2, 3]))
case("AveragePool dilations", IMAGE, lambda m: m.node("AveragePool", "x", kernel_shape=[3, 2], dilations=[2, 3]), 19)
for counted in (0, 1):
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": counted}
    case(f"AveragePool count_include_pad {counted}", IMAGE, lambda m, w=window: m.node("AveragePool", "x", **w))

case("GlobalAveragePool 2d", IMAGE, lambda m: m.node("GlobalAveragePool", "x"))
case("GlobalAveragePool 1d", SERIES, lambda m: m.node("GlobalAveragePool", "x"))
case("ReduceMean attribute", IMAGE, lambda m: m.node("ReduceMean", "x", axes=[2, 3]), opset=13)
case("ReduceMean attribute, flat", IMAGE, lambda m: m.node("ReduceMean", "x", axes=[-2, -1], keepdims=0), opset=13)
case("ReduceMean input", IMAGE, lambda m: m.node("ReduceMean", "x", axes(m, 3, 2)))
case("GlobalMaxPool", IMAGE, lambda m: m.node("GlobalMaxPool", "x"))
case("ReduceMean channels last", IMAGE, lambda m: m.node("ReduceMean", "x", axes(m, 1, 2), keepdims=0))
case("ReduceSum", IMAGE, lambda m: m.node("ReduceSum", "x", axes(m, 1)))
case("ReduceMax", IMAGE, lambda m: m.node("ReduceMax", "x", axes(m, 1, 3)))
case("ReduceMean input, flat", SERIES, lambda m: m.node("ReduceMean", "x", axes(m, -1), keepdims=0))
