"""The ONNX frontend: one file per family of ops and per quantisation dialect, all meeting in `reader.RULES`."""

from onnx2snn.frontends.onnx import dynamic, elementwise, integer, linear, qlinear, quantisers, windows
from onnx2snn.frontends.onnx.reader import RULES, Listed, Reading, Record, list_nodes, read_onnx
from onnx2snn.frontends.onnx.runtime import OnnxRuntime

FAMILIES = (dynamic, elementwise, integer, linear, qlinear, quantisers, windows)

__all__ = ["FAMILIES", "RULES", "Listed", "OnnxRuntime", "Reading", "Record", "list_nodes", "read_onnx"]
