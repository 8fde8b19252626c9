"""Tiny quantised networks, one for each thing a backend may meet: the cases of the conformance suite."""

from onnx2snn.testing.cases import layers, moves, tails
from onnx2snn.testing.cases.builder import CASES, NetworkBuilder

FILES = (layers, moves, tails)  #: importing them registers their cases

__all__ = ["CASES", "NetworkBuilder"]
