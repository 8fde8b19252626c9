"""The ONNX frontend: one file per family of ops and per quantisation dialect, all meeting in `reader.RULES`."""

from onnx2snn.frontends.onnx import elementwise, linear, quantisers, windows
from onnx2snn.frontends.onnx.reader import RULES, Reading, Record, read_onnx
from onnx2snn.frontends.onnx.runtime import OnnxRuntime

FAMILIES = (elementwise, linear, quantisers, windows)

__all__ = ["FAMILIES", "RULES", "OnnxRuntime", "Reading", "Record", "read_onnx"]
