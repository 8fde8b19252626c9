"""Reports: one self-contained page, and the same pictures and numbers as files."""

from onnx2snn.reporting.facts import Report
from onnx2snn.reporting.write import report

__all__ = ["Report", "report"]
