"""What every frontend returns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from onnx2snn.errors import UnsupportedOpError
from onnx2snn.ir import Graph


@dataclass(frozen=True)
class Record:
    """One node of the model file and the IR node it went into ("" where it became a constant).

    note: what reading it as it was read leaves out, "" where nothing.
    """

    node: str
    op: str
    domain: str
    into: str
    note: str = ""


@dataclass(frozen=True)
class Reading:
    """The graph of a model file, a record of each of its nodes, and how many steps the file itself asks for (0: none).

    settings: how the file was read where it leaves a choice, as text; "" where it leaves none.
    notes: what the user should know of that.
    """

    graph: Graph
    records: tuple[Record, ...]
    steps: int = 0
    settings: str = ""
    notes: tuple[str, ...] = ()


def unsupported(nodes: Sequence[str], known: str) -> UnsupportedOpError:
    """The error for nodes that no rule reads, in words; known: what is read."""
    if len(nodes) == 1:
        return UnsupportedOpError(f"unsupported {nodes[0]}. {known}")
    return UnsupportedOpError("unsupported", [*nodes, known])


def clean_name(name: str) -> str:
    """A name for the IR; of one that lists the ops fused into a node (`a;b;c`) the last."""
    text = re.sub(r"[^\w.-]", ".", name.rpartition(";")[2]).strip(".-")
    return re.sub(r"\.{2,}", ".", text) or "node"
