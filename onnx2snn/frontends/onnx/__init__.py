"""The ONNX frontend: one file per family of ops and per quantisation dialect, all meeting in `reader.RULES`."""

from onnx2snn.frontends.onnx import (
    activations,
    arithmetic,
    dynamic,
    integer,
    linear,
    moves,
    qlinear,
    quantisers,
    shapes,
    windows,
)
from onnx2snn.frontends.onnx.reader import RULES, Listed, Reading, Record, list_nodes, read_onnx
from onnx2snn.frontends.onnx.runtime import OnnxRuntime

FAMILIES = (activations, arithmetic, dynamic, integer, linear, moves, qlinear, quantisers, shapes, windows)

__all__ = ["FAMILIES", "RULES", "Listed", "OnnxRuntime", "Reading", "Record", "list_nodes", "read_onnx"]
