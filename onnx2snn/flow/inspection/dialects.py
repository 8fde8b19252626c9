"""The name of the dialect that an ONNX node is written in."""

from __future__ import annotations

from onnx2snn.ir import Op
from onnx2snn.ir.ops import Conv, Dense, Quantise, Unary

MICROSOFT = "com.microsoft"
#: dialects whose ops nobody else uses
BY_OP: dict[str, str] = {
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), "qoperator"),
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), "integer ops"),
    "DynamicQuantizeLinear": "dynamic",
}
STEPPED = ("floor", "ceil", "round", "truncate", "sign", "positive", "nonnegative")
WHOLE_RANGES = (1 << 8, 1 << 16)  #: codes of the types that need no Clip


def dialect(name: str, domain: str, op: Op | None) -> str:
    """The dialect of the ONNX op `name` that was read as `op`; "" for what every network holds.

    qdq: QuantizeLinear and DequantizeLinear over a whole type; qcdq: cut to fewer bits.  qoperator: QLinear ops.
    integer ops: ConvInteger, MatMulInteger.  dynamic: scales worked out at run time.  qonnx: Quant, MultiThreshold ...
    chain: a function such as Floor, Round or Sign that elementwise quantisers are spelled with.
    integer weights: a synapse whose weights lie on a grid.
    """
    if name in BY_OP:
        return BY_OP[name]
    if domain not in ("ai.onnx", MICROSOFT):
        return "qonnx"
    if domain == MICROSOFT:
        return "qoperator" if name.startswith("Q") else "integer ops"
    if isinstance(op, Quantise) and name in ("QuantizeLinear", "DequantizeLinear", "Clip"):
        return "qdq" if op.qmax - op.qmin + 1 in WHOLE_RANGES else "qcdq"
    if isinstance(op, Unary) and op.function in (
        "floor",
        "ceil",
        "round",
        "truncate",
        "sign",
        "positive",
        "nonnegative",
    ):
        return "chain"
    if isinstance(op, (Conv, Dense)) and op.weight.dtype.kind == "i" and name in ("Conv", "Gemm", "MatMul"):
        return "integer weights"
    return ""
