"""Opening a NIR file: groups and data sets of an HDF5 file as plain arrays and words, and nothing else.

A file is read, never followed: links to other files, data kept outside of it and arrays beyond a limit are refused.

    /node/type = "NIRGraph"   /node/nodes/NAME/...   /node/edges (n, 2)   /node/metadata/...

Source: nir 1.0.8, `nir.serialization`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from onnx2snn.errors import ModelError, Onnx2SnnError, located
from onnx2snn.extras import need
from onnx2snn.ir import Array

MOST_ENTRIES = 1 << 28  #: of one array: the weights of the largest layers there are, and no more
DEEPEST = 8  #: graphs inside graphs
Value = Array | str


@dataclass(frozen=True)
class Raw:
    """One node of the file: its type and its fields, arrays or words, as they lie there."""

    type: str
    fields: Mapping[str, Value]
    metadata: Mapping[str, Value]


@dataclass
class RawGraph:
    """Nodes by name, graphs inside the graph included, and the edges between them."""

    nodes: dict[str, Raw | RawGraph] = field(default_factory=dict[str, "Raw | RawGraph"])
    edges: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    metadata: Mapping[str, Value] = field(default_factory=dict[str, Value])


def load_graph(path: Path) -> RawGraph:
    """The graph in `path`; raises `ModelError` with one line for a file that is missing, broken or unsafe."""
    h5py = _h5py()
    with located(str(path)):
        if not path.is_file():
            raise ModelError("a NIR file expected, found " + ("a folder" if path.is_dir() else "nothing there"))
        try:
            with h5py.File(path, "r") as file:
                return _Reader(h5py).graph(file)
        except Onnx2SnnError:
            raise
        except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:  # what h5py says of broken files
            raise ModelError(f"a NIR file (HDF5) expected, found a damaged or other file ({_line(error)})") from None


def _h5py() -> Any:
    need("reading a NIR file", "h5py", extra="nir")
    import h5py

    return h5py


def _line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


class _Reader:
    def __init__(self, h5py: Any) -> None:
        self.h5py = h5py

    def graph(self, file: Any) -> RawGraph:
        if "node" not in file:
            raise ModelError(f"a NIR file with a group 'node' expected, found {', '.join(file) or 'nothing in it'}")
        found = self._node(self._group(file, "node"), 0)
        if isinstance(found, Raw):
            raise ModelError(f"a NIRGraph expected, found a single {found.type}")
        return found

    def _node(self, group: Any, depth: int) -> Raw | RawGraph:
        kind = self._value(group, "type") if "type" in group else None
        if not isinstance(kind, str):
            raise ModelError("a node with a type expected, found none")
        metadata = self._values(self._group(group, "metadata")) if "metadata" in group else {}
        if kind != "NIRGraph":
            return Raw(kind, self._values(group, leave=("type", "metadata")), metadata)
        if depth == DEEPEST:
            raise ModelError(f"at most {DEEPEST} graphs inside one another expected, found more")
        nodes: dict[str, Raw | RawGraph] = {}
        inside = self._group(group, "nodes")
        for name in inside:
            with located(f"node {name!r}"):
                nodes[name] = self._node(self._group(inside, name), depth + 1)
        return RawGraph(nodes, self._edges(group), metadata)

    def _edges(self, group: Any) -> list[tuple[str, str]]:
        edges = self._value(group, "edges") if "edges" in group else None
        if not isinstance(edges, np.ndarray) or (edges.size and (edges.ndim != 2 or edges.shape[1] != 2)):
            raise ModelError(f"edges: pairs of names expected, found {getattr(edges, 'shape', edges)}")
        pairs = [(_word(a), _word(b)) for a, b in edges.reshape(-1, 2)]
        return list(dict.fromkeys(pairs))

    def _values(self, group: Any, leave: tuple[str, ...] = ()) -> dict[str, Value]:
        """The data sets of a group; groups inside it say nothing that is understood here."""
        names = [name for name in group if name not in leave]
        return {name: self._value(group, name) for name in names if self._is(group, name, self.h5py.Dataset)}

    def _group(self, group: Any, name: str) -> Any:
        if not self._is(group, name, self.h5py.Group):
            raise ModelError(f"a group {name!r} expected, found a data set")
        return group[name]

    def _is(self, group: Any, name: str, kind: type) -> bool:
        """Whether something is of a kind; refuses what leads out of the file or round in it."""
        if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
            raise ModelError(f"{name!r}: plain data expected, found a link")
        return isinstance(group[name], kind)

    def _value(self, group: Any, name: str) -> Value:
        if not self._is(group, name, self.h5py.Dataset):
            raise ModelError(f"{name!r}: a data set expected, found a group")
        data = group[name]
        if data.is_virtual or data.external:
            raise ModelError(f"{name!r}: data inside the file expected, found data kept outside of it")
        if data.size is None or data.size > MOST_ENTRIES:
            raise ModelError(f"{name!r}: at most {MOST_ENTRIES} entries expected, found {data.size}")
        value = data[()]
        if isinstance(value, (bytes, str)):
            return _word(value)
        array = np.asarray(value)
        if array.dtype.kind not in "biufOS":
            raise ModelError(f"{name!r}: numbers or words expected, found {array.dtype}")
        return array


def _word(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf8", "replace")
    if not isinstance(value, str):
        raise ModelError(f"a word expected, found {type(value).__name__}")
    return value
