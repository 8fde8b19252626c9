"""The intermediate representation: one `Graph` of ops, its checks, its text and its files."""

from onnx2snn.ir.graph import Graph, Node, Origin, verify
from onnx2snn.ir.op import Array, Op, Shape, same
from onnx2snn.ir.store import load_arrays, load_graph, save_graph
from onnx2snn.ir.text import parse_graph, print_graph

__all__ = [
    "Array",
    "Graph",
    "Node",
    "Op",
    "Origin",
    "Shape",
    "load_arrays",
    "load_graph",
    "parse_graph",
    "print_graph",
    "same",
    "save_graph",
    "verify",
]
