"""Saving a graph: its text form beside a safetensors file of its larger arrays."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load, save

from onnx2snn.errors import ArtifactError, located
from onnx2snn.ir.graph import Graph
from onnx2snn.ir.op import Array
from onnx2snn.ir.text import external_arrays, parse_graph, print_graph

TEXT_FILE = "network.txt"
ARRAY_FILE = "arrays.safetensors"


def save_graph(graph: Graph, folder: Path) -> None:
    """Writes `network.txt` and `arrays.safetensors` into `folder`; the same graph gives the same bytes."""
    (folder / TEXT_FILE).write_text(print_graph(graph), encoding="utf-8")
    (folder / ARRAY_FILE).write_bytes(save(dict(sorted(external_arrays(graph).items()))))


def load_graph(folder: Path) -> Graph:
    """Reads what `save_graph` wrote; raises `ArtifactError` or `GraphError` where it is damaged."""
    with located(str(folder / TEXT_FILE)):
        try:
            text = (folder / TEXT_FILE).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"cannot be read: {error}") from None
        return parse_graph(text, load_arrays(folder / ARRAY_FILE))


def load_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a safetensors file by name; raises `ArtifactError` where it is damaged."""
    try:
        return dict(load(path.read_bytes()))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read: {error}") from None
