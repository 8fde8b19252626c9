"""For authors of backends: networks to try, and the suite that every built-in backend passes."""

from onnx2snn.testing.cases import CASES, NetworkBuilder
from onnx2snn.testing.conformance import ConformanceError, Outcome, check_case, conformance

__all__ = ["CASES", "ConformanceError", "NetworkBuilder", "Outcome", "check_case", "conformance"]
