"""Integer ops instead of quantisers around real ones: QOperator, ConvInteger, dynamic, and clip and floor chains."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from dialects.network import Grid, Network, dialect

PADS = [1, 1, 1, 1]
MICROSOFT = "com.microsoft"


@dialect(opset=13, opsets=((MICROSOFT, 1),))
def qoperator(m: Network) -> str:
    """ONNX Runtime, QOperator: integer ops with the grids of inputs and output as operands; no Relu anywhere."""
    grid = m.grid(0.0231, 128)
    x = m.codes("x", grid)
    conv = m.grid(0.0173)
    w = (m.whole(2, 2, 3, 3, top=63), *m.grid(m.scales(2, 0.008), 0, np.int8))
    a = m.node("QLinearConv", x, *grid, *w, *conv, m.whole(2, top=4000, kind=np.int32), pads=PADS)
    a = m.node("MaxPool", a, kernel_shape=[2, 2], strides=[2, 2])
    w, branch = (m.whole(2, 2, 3, 3, top=63), *m.grid(0.0106, 0, np.int8)), m.grid(0.0193, 147)
    b = m.node("QLinearConv", a, *conv, *w, *branch, m.whole(2, top=4000, kind=np.int32), pads=PADS)
    total, mean = m.grid(0.0239), m.grid(0.0167)
    y = m.node("QLinearAdd", a, *conv, b, *branch, *total, domain=MICROSOFT)
    y = m.node("QLinearGlobalAveragePool", y, *total, *mean, domain=MICROSOFT, channels_last=0)
    y = m.node("Flatten", y)
    w, out = (m.whole(4, 2, top=63), *m.grid(0.0114, 0, np.int8)), m.grid(0.0117, 131)
    y = m.node("QGemm", y, *mean, *w, m.whole(4, top=4000, kind=np.int32), *out, domain=MICROSOFT, transB=1)
    return m.back(y, out)


def _integer_layer(m: Network, op: str, codes: str, grid: Grid, shape: tuple[int, ...], bias: str) -> str:
    """Integer product, cast, and the two scales multiplied in the graph."""
    scale = m.constant(0.0083)
    made = m.node(op, codes, m.whole(*shape, top=63), grid[1], m.constant(0, np.int8))
    product = m.node("Cast", made, to=TensorProto.FLOAT)
    return m.node("Add", m.node("Mul", product, m.node("Mul", grid[0], scale)), bias)


@dialect(opset=11)
def conv_integer(m: Network) -> str:
    """Static scales: QuantizeLinear -> ConvInteger -> Cast -> Mul(scales) -> Add."""
    grid = m.grid(0.0231, 128)
    y = _integer_layer(m, "ConvInteger", m.codes("x", grid), grid, (3, 2, 3, 3), m.real(1, 3, 1, 1))
    y = m.node("MaxPool", m.node("Relu", y), kernel_shape=[2, 2], strides=[2, 2])
    y, grid = m.node("Flatten", y), m.grid(0.0173)
    return _integer_layer(m, "MatMulInteger", m.codes(y, grid), grid, (12, 4), m.real(4))


def _dynamic(m: Network, x: str) -> tuple[str, Grid]:
    """DynamicQuantizeLinear and its three outputs."""
    number = sum(node.op_type == "DynamicQuantizeLinear" for node in m.nodes) + 1
    names = [f"dynamic{number}_{part}" for part in ("codes", "scale", "zero")]
    m.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], names, name=f"/DynamicQuantizeLinear_{number}"))
    return names[0], (names[1], names[2])


@dialect(opset=11, tolerance=0.1, becomes="refused")
def dynamic(m: Network) -> str:
    """Scales worked out from each batch while it runs: read as the real-valued network with whole weights."""
    y = _integer_layer(m, "ConvInteger", *_dynamic(m, "x"), (3, 2, 3, 3), m.real(1, 3, 1, 1))
    y = m.node("Flatten", m.node("MaxPool", m.node("Relu", y), kernel_shape=[2, 2], strides=[2, 2]))
    return _integer_layer(m, "MatMulInteger", *_dynamic(m, y), (12, 4), m.real(4))


@dialect(opset=9, ir=6, whole_input=True, tolerance=0)
def nemo(m: Network) -> str:
    """NEMO: whole numbers throughout, scaled down by multiply, divide and clip."""
    y = "x"
    for inside, out in ((2, 3), (3, 2)):
        w = m.whole(out, inside, 3, 3, top=7, kind=np.float32)
        y = m.node("Mul", m.constant(m.rng.integers(3, 9, (1, out, 1, 1))), m.node("Conv", y, w))
        y = m.node("Add", y, m.constant(m.rng.integers(-900, 900, (1, out, 1, 1))))
        y = m.node("Mul", m.node("Cast", y, to=TensorProto.INT64), m.constant([37], np.int64))
        y = m.node("Cast", m.node("Div", y, m.constant([4096], np.int64)), to=TensorProto.FLOAT)
        y = m.node("Clip", y, min=0.0, max=255.0)
    y = m.node("Flatten", y)
    return m.node("Gemm", y, m.whole(4, 8, top=7, kind=np.float32), m.whole(4, top=99, kind=np.float32), transB=1)
