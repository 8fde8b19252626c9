"""Tiny networks, one for each way in which tools write quantised networks as ONNX, with golden texts of their IR."""

from dialects import chains, integer, qdq, qonnx
from dialects.network import DIALECTS, Dialect, Network

FAMILIES = (qdq, integer, qonnx, chains)

__all__ = ["DIALECTS", "FAMILIES", "Dialect", "Network"]
