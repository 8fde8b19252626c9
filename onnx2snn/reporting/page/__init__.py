"""The page: a template that says what stands where, and a style sheet."""

from onnx2snn.reporting.page.render import render

__all__ = ["render"]
