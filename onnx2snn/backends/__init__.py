"""Backends: one room each, all found through the entry-point group `onnx2snn.backends`."""

from onnx2snn.backends.base import Backend, DesignRule, Simulator

__all__ = ["Backend", "DesignRule", "Simulator"]
