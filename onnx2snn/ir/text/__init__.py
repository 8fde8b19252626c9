"""The text form of graphs: printed for people, golden tests and artifacts, and parsed back."""

from onnx2snn.ir.text.parser import parse_graph
from onnx2snn.ir.text.printer import external_arrays, print_graph, print_node

__all__ = ["external_arrays", "parse_graph", "print_graph", "print_node"]
