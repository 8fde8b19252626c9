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
from onnx2snn.errors import MissingExtraError

if TYPE_CHECKING:
    import nir

FILE = "network.nir"


@final
class NirBackend(Backend):
    """`network.nir`; no simulator of its own, many readers elsewhere."""

    name: ClassVar[str] = "nir"
    summary: ClassVar[str] = "an HDF5 file for NIR readers; soft reset and v0 only as metadata"
    codes: ClassVar[tuple[str, ...]] = ("if",)
    arithmetic: ClassVar[tuple[Literal["integer", "float"], ...]] = ("float",)
    fidelity: ClassVar[Literal["faithful", "approximate"]] = "approximate"
    rules: ClassVar[tuple[DesignRule, ...]] = RULES

    def emit(self, network: Network, folder: Path) -> None:
        """Writes `network.nir`; `MissingExtraError` where the package nir is not installed."""
        _nir().write(str(folder / FILE), self._graph(network))

    def audit(self, network: Network, folder: Path) -> list[str]:
        """Reads the file back and compares nodes, edges and every array with what the network gives."""
        found, expected = _nir().read(str(folder / FILE)), self._graph(network)
        problems: list[str] = []
        if sorted(found.edges) != sorted(expected.edges):
            problems.append(f"{FILE}: its edges are not the network's")
        for name, node in expected.nodes.items():
            if name not in found.nodes or type(found.nodes[name]) is not type(node):
                problems.append(f"{FILE}: node {name} is missing or of another type")
            elif not _same(found.nodes[name], node):
                problems.append(f"{FILE}: the numbers of node {name} are not the network's")
        return problems

    def _graph(self, network: Network) -> nir.NIRGraph:
        _nir()
        from onnx2snn.backends.nir.lower import lower

        return lower(network)


def _nir() -> Any:
    try:
        import nir
    except ImportError:
        raise MissingExtraError('backend nir needs the package nir: pip install "onnx2snn[nir]"') from None
    return nir


def _same(found: Any, expected: Any) -> bool:
    ours, theirs = _arrays(expected.__dict__), _arrays(found.__dict__)
    return ours.keys() <= theirs.keys() and all(np.array_equal(theirs[key], value) for key, value in ours.items())


def _arrays(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Numbers and arrays of a node, its metadata included."""
    found: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, dict):
            found.update(_arrays(value, f"{prefix}{key}."))
        elif isinstance(value, (int, float, tuple, np.ndarray, np.generic)):
            found[prefix + key] = np.asarray(value)
    return found


__all__ = ["NirBackend"]
