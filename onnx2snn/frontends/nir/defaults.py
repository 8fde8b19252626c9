"""What a file leaves open of how its time becomes steps, and was read with a default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from onnx2snn.frontends.nir.dynamics import Cell, Discretisation, takes_dt
from onnx2snn.frontends.nir.fields import word
from onnx2snn.frontends.nir.file import Raw, Value
from onnx2snn.frontends.nir.resets import few
from onnx2snn.ir.ops import Reset


def unsaid(
    asked: Discretisation,
    chosen: Discretisation,
    metadata: Mapping[str, Value],
    nodes: Mapping[str, Raw],
    cells: Mapping[str, Cell],
) -> tuple[str, ...]:
    """A sentence on defaults that decide when neurons spike; none where user and metadata say all that matters.

    cells: by the name of their node.  A membrane that keeps nothing is the same whatever a spike does to it.
    """
    found: list[tuple[str, str]] = []
    if not asked.dt and not _says_dt(metadata) and any(takes_dt(nodes[name]) for name in cells):
        found.append((f"dt = {chosen.dt:g}", "--dt"))
    if not asked.reset and not word(metadata, "reset"):
        resetting = [name for name, cell in cells.items() if cell.decay]
        silent = [name for name in resetting if word(nodes[name].metadata, "reset") not in get_args(Reset)]
        if silent:
            which = "" if len(silent) == len(resetting) else f" of {few(silent)}"
            found.append((f"reset to {chosen.reset}{which}", "--reset"))
    if not found:
        return ()
    words, options = (list(column) for column in zip(*found, strict=True))
    return (f"read with {' and '.join(words)}, which the file does not say; {', '.join(options)}",)


def _says_dt(metadata: Mapping[str, Value]) -> bool:
    """Whether they hold a length of a step; zero says nothing."""
    said = metadata.get("dt")
    return said is not None and not isinstance(said, str) and bool(said.any())
