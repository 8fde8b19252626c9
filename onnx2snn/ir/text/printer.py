"""Graph to text.

    graph lenet {
      x : 1x28x28 = input(){shape=(1, 28, 28)}
      conv1 : 16x28x28 = conv(x){weight=i8[16,1,5,5]@conv1.weight, ...} <- "/conv1/Conv" "Conv" "z1"
      return conv1
    }

Fields at their default are left out. Arrays of up to `inline` entries are written out (`f64[2]{0.5, 1.0}`), larger
ones by name, node and field joined by a dot.
"""

from __future__ import annotations

import json
from dataclasses import MISSING
from typing import cast

import numpy as np

from onnx2snn.ir.graph import Graph, Node, Origin
from onnx2snn.ir.op import Array, Shape, op_fields

DTYPES = {"f64": np.float64, "f32": np.float32, "i64": np.int64, "i8": np.int8}
DTYPE_NAMES = {np.dtype(kind): name for name, kind in DTYPES.items()}


def print_graph(graph: Graph, inline: int = 16) -> str:
    """The text of a graph; arrays of more than `inline` entries stand as references."""
    lines = [f"graph {graph.name} {{"]
    lines += [f"  {print_node(graph, node, inline)}" for node in graph]
    lines += [f"  return {', '.join(graph.outputs)}", "}"]
    return "\n".join(lines) + "\n"


def print_node(graph: Graph, node: Node, inline: int = 16) -> str:
    """One line of the text form."""
    shape = "x".join(map(str, graph.shape(node.name))) or "scalar"
    fields = ", ".join(f"{key}={text}" for key, text in _fields(node, inline))
    origin = node.origin
    places = " ".join(json.dumps(place) for place in (origin.node, origin.op, origin.tensor))
    tail = "" if origin == Origin() else f" <- {places}"
    return f"{node.name} : {shape} = {node.op.name}({', '.join(node.inputs)}){{{fields}}}{tail}"


def external_arrays(graph: Graph, inline: int = 16) -> dict[str, Array]:
    """The arrays that the text form names instead of writing them out."""
    return {
        f"{node.name}.{key}": value
        for node in graph
        for key, value in node.op.parameters().items()
        if isinstance(value, np.ndarray) and value.size > inline
    }


def _fields(node: Node, inline: int) -> list[tuple[str, str]]:
    declared = op_fields(type(node.op))
    texts: list[tuple[str, str]] = []
    for key, value in node.op.parameters().items():
        default = declared[key].default
        if default is not MISSING and type(value) is type(default) and value == default:
            continue
        texts.append((key, _value(value, f"{node.name}.{key}", inline)))
    return texts


def _value(value: object, name: str, inline: int) -> str:
    if isinstance(value, np.ndarray):
        return _array(cast(Array, value), name, inline)
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(repr, cast(Shape, value)))})"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


def _array(array: Array, name: str, inline: int) -> str:
    head = f"{DTYPE_NAMES[array.dtype]}[{','.join(map(str, array.shape))}]"
    if array.size > inline:
        return f"{head}@{name}"
    return f"{head}{{{', '.join(_number(v) for v in array.ravel())}}}"


def _number(value: np.generic) -> str:
    if value.dtype.itemsize == 4:
        return np.format_float_scientific(np.float32(value), unique=True, trim="-")
    return repr(value.item())
