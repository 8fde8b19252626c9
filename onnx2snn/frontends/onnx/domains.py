"""Names that one family of ops has gone by."""

from __future__ import annotations

QONNX = "qonnx.custom_op.general"
QONNX_OPS = ("Quant", "IntQuant", "BipolarQuant", "FloatQuant", "Trunc", "MultiThreshold", "DebugMarker")
ELSEWHERE = (
    "onnx.brevitas",
    "brevitas.onnx",
    "finn",
    "finn.custom_op.general",
    "finn.custom_op.fpgadataflow",
    "org.qonnx",
    "org.qonnx.custom_op.general",
)


def domain_of(domain: str, op: str = "") -> str:
    """The domain under which `op` is known here: `ai.onnx` is the empty string, QONNX ops have one domain."""
    if domain in ELSEWHERE and op in QONNX_OPS:
        return QONNX
    return "" if domain == "ai.onnx" else domain
