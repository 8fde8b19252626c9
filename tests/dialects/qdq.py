"""QuantizeLinear and DequantizeLinear as eight tools place them."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from dialects.network import INT4, Network, dialect, packed

PADS = [1, 1, 1, 1]


def bias32(m: Network, channels: int, scale: Any) -> str:
    """A bias in 32 bits on the grid of the products, without zero point; `scale` has one axis."""
    steps = np.atleast_1d(np.asarray(scale, np.float32))
    codes = m.whole(channels, top=4000, kind=np.int32)
    return m.node("DequantizeLinear", codes, *m.grid(steps, 0, np.int32), axis=0)


@dialect(opset=13, opsets=(("ai.onnx.ml", 2), ("com.microsoft", 1)))
def ort_static_u8(m: Network) -> str:
    """ONNX Runtime, quantize_static: Relu deleted, max-pool wrapped, everything quantised once more behind."""
    x = m.qdq("x", m.grid(0.0231, 128))
    w = m.back(m.whole(3, 2, 3, 3), m.grid(0.0041, 0, np.int8))
    grid = m.grid(0.0173)
    y = m.qdq(m.node("Conv", x, w, bias32(m, 3, 0.0231 * 0.0041), pads=PADS), grid)
    y = m.qdq(m.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]), grid)
    y = m.qdq(m.node("GlobalAveragePool", y), mean := m.grid(0.0091))
    y = m.qdq(m.node("Flatten", y), mean)
    w = m.back(m.whole(4, 3), m.grid(0.0057, 0, np.int8))
    y = m.node("Gemm", y, w, bias32(m, 4, 0.0091 * 0.0057), transB=1)
    return m.qdq(y, m.grid(0.0117, 131))


@dialect(opset=13)
def ort_static_s8(m: Network) -> str:
    """ActivationSymmetric: int8 without zero points; Relu kept, quantised before and behind it."""
    x = m.qdq("x", m.grid(0.0231, 0, np.int8))
    w = m.back(m.whole(3, 2, 3, 3), m.grid(0.0041, 0, np.int8))
    y = m.qdq(m.node("Conv", x, w, bias32(m, 3, 0.0231 * 0.0041)), m.grid(0.0383, 0, np.int8))
    y = m.qdq(m.node("Relu", y), m.grid(0.0211, 0, np.int8))
    w = m.back(m.whole(4, 3), m.grid(0.0057, 0, np.int8))
    return m.node("Gemm", m.flat(y), w, bias32(m, 4, 0.0211 * 0.0057), transB=1)


@dialect(opset=13)
def ort_static_per_channel(m: Network) -> str:
    """A weight scale for each output channel, and so a bias scale for each."""
    x = m.qdq("x", m.grid(0.0231, 128))
    steps = m.scales(3)
    w = m.back(m.whole(3, 2, 3, 3), m.grid(steps, 0, np.int8), axis=0)
    y = m.qdq(m.node("Conv", x, w, bias32(m, 3, 0.0231 * steps)), m.grid(0.0173))
    steps = m.scales(4)
    w = m.back(m.whole(4, 3), m.grid(steps, 0, np.int8), axis=0)
    return m.node("Gemm", m.flat(y), w, bias32(m, 4, 0.0173 * steps), transB=1)


@dialect(opset=13)
def ort_static_residual(m: Network) -> str:
    """The branch that joins an addition is quantised on a signed grid of its own (zero point 147)."""
    x = m.qdq("x", m.grid(0.0231, 128))
    w = m.back(m.whole(2, 2, 3, 3), m.grid(0.0041, 0, np.int8))
    a = m.qdq(m.node("Conv", x, w, bias32(m, 2, 0.0231 * 0.0041), pads=PADS), m.grid(0.0173))
    w = m.back(m.whole(2, 2, 3, 3), m.grid(0.0053, 0, np.int8))
    b = m.qdq(m.node("Conv", a, w, bias32(m, 2, 0.0173 * 0.0053), pads=PADS), m.grid(0.0193, 147))
    y = m.qdq(m.node("Add", a, b), m.grid(0.0239))
    return m.node("Gemm", m.flat(y), m.back(m.whole(4, 2), m.grid(0.0057, 0, np.int8)), transB=1)


@dialect(opset=20)
def torch_fake_quantize(m: Network) -> str:
    """torch.fake_quantize: axis = 1 beside a scalar scale; weights real, quantised in the graph; mean and reshape."""
    x = m.qdq("x", m.grid(0.0231, 128), axis=1)
    w = m.qdq(m.real(3, 2, 3, 3), m.grid(0.011, 0, np.int8), axis=1)
    y = m.qdq(m.node("Relu", m.node("Conv", x, w)), m.grid(0.0173), axis=1)
    y = m.node("ReduceMean", y, m.constant([-1, -2], np.int64), keepdims=1)
    y = m.node("Reshape", y, m.constant([-1, 3], np.int64), allowzero=1)
    w = m.qdq(m.real(4, 3), m.grid(0.0087, 0, np.int8), axis=1)
    return m.node("Gemm", y, w, m.real(4), transB=1)


@dialect(opset=20, becomes="refused")
def pt2e(m: Network) -> str:
    """torchao PT2E: int8 weights, real biases, Relu kept; the Relu behind the addition is not quantised."""
    x = m.qdq("x", m.grid(0.0231, 128), axis=1)
    w = m.back(m.whole(2, 2, 3, 3), m.grid(m.scales(2), 0, np.int8), axis=0)
    a = m.qdq(m.node("Relu", m.node("Conv", x, w, m.real(2), pads=PADS)), m.grid(0.0173), axis=1)
    w = m.back(m.whole(2, 2, 3, 3), m.grid(m.scales(2), 0, np.int8), axis=0)
    y = m.node("Relu", m.node("Add", m.node("Conv", a, w, m.real(2), pads=PADS), a))
    y = m.node("ReduceMean", y, m.constant([-1, -2], np.int64), keepdims=1)
    y = m.qdq(m.node("Reshape", y, m.constant([-1, 2], np.int64)), m.grid(0.0149), axis=1)
    w = m.back(m.whole(4, 2), m.grid(m.scales(4), 0, np.int8), axis=0)
    return m.node("Gemm", y, w, m.real(4), transB=1)


@dialect(opset=17, becomes="refused")
def modelopt_torch(m: Network) -> str:
    """ModelOpt from torch: only inputs of layers quantised, so an addition bypasses the quantiser; BatchNorm stays."""
    x = m.qdq("x", m.grid(0.0231, 0, np.int8))
    w = m.qdq(m.real(2, 2, 3, 3), m.grid(m.scales(2, 0.011), 0, np.int8), axis=0)
    a = m.node("Relu", m.batch_norm(m.node("Conv", x, w, pads=PADS), 2))
    w = m.qdq(m.real(2, 2, 3, 3), m.grid(m.scales(2, 0.011), 0, np.int8), axis=0)
    b = m.batch_norm(m.node("Conv", m.qdq(a, m.grid(0.0311, 0, np.int8)), w, pads=PADS), 2)
    y = m.node("Relu", m.node("Add", b, a))
    y = m.qdq(m.flat(y), m.grid(0.0217, 0, np.int8))
    return m.node("Gemm", y, m.qdq(m.real(4, 2), m.grid(m.scales(4, 0.011), 0, np.int8), axis=0), m.real(4), transB=1)


@dialect(opset=19, tolerance=5e-3, becomes="analog")
def modelopt_onnx(m: Network) -> str:
    """ModelOpt from ONNX: half precision between a cast at either end, some layers quantised, Relu kept."""
    half = TensorProto.FLOAT16
    x = m.node("Cast", "x", to=half)
    grid = (m.constant(0.0234375, np.float16), m.constant(0, np.int8))
    w = m.qdq(m.constant(m.rng.normal(0, 0.4, (3, 2, 3, 3)), np.float16), grid)
    y = m.node("Relu", m.node("Conv", m.qdq(x, grid), w, m.constant(m.rng.normal(0, 0.4, 3), np.float16)))
    grid = (m.constant(0.03125, np.float16), m.constant(0, np.int8))
    y = m.node("Gemm", m.flat(m.qdq(y, grid)), m.constant(m.rng.normal(0, 0.4, (3, 4)), np.float16))
    return m.node("Cast", y, to=TensorProto.FLOAT)


@dialect()
def brevitas_qcdq(m: Network) -> str:
    """Brevitas: real weights quantised and clipped in the graph, BatchNorm before Relu, 4 bits by Clip on uint8."""
    x = m.qdq("x", m.grid(0.0231, 0, np.int8))
    grid = m.grid(m.scales(3, 0.15), 0, np.int8)
    codes = m.codes(m.real(3, 2, 3, 3), grid, axis=0)
    codes = m.node("Clip", codes, m.constant(-7, np.int8), m.constant(7, np.int8))
    w = m.back(codes, grid, axis=0)
    y = m.node("Relu", m.batch_norm(m.node("Conv", x, w, pads=PADS), 3, [0.7, -0.4, 0.9]))
    grid = m.grid(0.137)
    y = m.back(m.node("Clip", m.codes(y, grid), m.constant(0, np.uint8), m.constant(15, np.uint8)), grid)
    codes = m.node("Clip", m.whole(4, 3, top=7), m.constant(-7, np.int8), m.constant(7, np.int8))
    w = m.back(codes, m.grid(0.093, 0, np.int8))
    return m.node("Gemm", m.flat(y), w, m.real(4), transB=1)


@dialect(opset=21, ir=10)
def int4_weights(m: Network) -> str:
    """Activations in 16 bits and weights in 4 (A16W4)."""
    x = m.qdq("x", m.grid(0.00013, 32768, np.uint16))
    codes = packed(m, INT4, m.rng.integers(-8, 8, 54).tolist(), [3, 2, 3, 3])
    w = m.node("DequantizeLinear", codes, m.constant(m.scales(3, 0.06)), axis=0)
    y = m.qdq(m.node("Conv", x, w, bias32(m, 3, 0.00013 * 0.06)), m.grid(0.00007, 0, np.uint16))
    codes = packed(m, INT4, m.rng.integers(-8, 8, 12).tolist(), [3, 4])
    return m.node("MatMul", m.flat(y), m.node("DequantizeLinear", codes, m.constant(0.07)))
