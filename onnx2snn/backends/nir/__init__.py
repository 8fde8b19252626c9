"""The `nir` backend: an HDF5 file in the Neuromorphic Intermediate Representation, labelled approximate.

NIR's integrate-and-fire neuron resets to a fixed value and starts from zero; ours subtracts its threshold and starts
from half of it. The file says both in the metadata of each neuron (`reset`, `v0`), which a reader is free to ignore.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

import numpy as np

from onnx2snn.artifact import Network
from onnx2snn.backends.base import Backend, DesignRule
from onnx2snn.backends.nir.rules import RULES
from onnx2snn.extras import need
from onnx2snn.passes import FoldMoves
from onnx2snn.passes.base import Recipe

if TYPE_CHECKING:
    import nir

FILE = "network.nir"


@final
class NirBackend(Backend):
    """`network.nir`; no simulator of its own: the file is read back and run, here and by many readers elsewhere."""

    name: ClassVar[str] = "nir"
    summary: ClassVar[str] = "an HDF5 file for NIR readers; soft reset and v0 only as metadata"
    codes: ClassVar[tuple[str, ...]] = ("if",)
    arithmetic: ClassVar[tuple[Literal["integer", "float"], ...]] = ("float",)
    fidelity: ClassVar[Literal["faithful", "approximate"]] = "approximate"
    rules: ClassVar[tuple[DesignRule, ...]] = RULES
    exchange: ClassVar[str] = FILE
    needs: ClassVar[tuple[str, ...]] = ("nir",)

    def staircases(self) -> Recipe:
        return (*super().staircases(), FoldMoves())

    def emit(self, network: Network, folder: Path) -> None:
        """Writes `network.nir`; `MissingExtraError` where the package nir is not installed."""
        _nir().write(str(folder / FILE), self._graph(network))

    def audit(self, network: Network, folder: Path) -> list[str]:
        """Reads the file back and compares nodes, edges and every number and word with what the network gives."""
        expected = self._graph(network)
        try:
            found = _nir().read(str(folder / FILE))
        except Exception as error:  # noqa: BLE001  whatever a library says of a broken file becomes one line
            return [f"{FILE}: cannot be read: {type(error).__name__}: {str(error).partition(chr(10))[0]}"]
        problems: list[str] = []
        if sorted(found.edges) != sorted(expected.edges):
            problems.append(f"{FILE}: its edges are not the network's")
        if found.nodes.keys() - expected.nodes.keys():
            problems.append(f"{FILE}: it has nodes that the network has not")
        if _content(found.metadata) != _content(expected.metadata):
            problems.append(f"{FILE}: its metadata are not the network's")
        for name, node in expected.nodes.items():
            if type(found.nodes.get(name)) is not type(node):
                problems.append(f"{FILE}: node {name} is missing or of another type")
            elif _content(vars(found.nodes[name])) != _content(vars(node)):
                problems.append(f"{FILE}: the numbers of node {name} are not the network's")
        return problems

    def _graph(self, network: Network) -> nir.NIRGraph:
        _nir()
        from onnx2snn.backends.nir.lower import lower

        return lower(network)


def _nir() -> Any:
    need("backend nir", "nir")
    import nir

    return nir


def _content(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Numbers (as lists) and words of a node by field, its metadata included."""
    found: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, dict):
            found.update(_content(value, f"{prefix}{key}."))
        elif isinstance(value, (str, bytes)):
            found[prefix + key] = value.decode() if isinstance(value, bytes) else value
        elif value is not None:
            found[prefix + key] = np.asarray(value).tolist()
    return found


__all__ = ["NirBackend"]
