"""The `torch` backend: a module in memory, and a `model.py` that needs PyTorch alone.

Converting needs no PyTorch; building a module and simulating do.
"""

from __future__ import annotations

import tempfile
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, final

from onnx2snn.artifact import Manifest, Network
from onnx2snn.backends.base import Backend, DesignRule, Simulator
from onnx2snn.backends.torch.emit import MODEL_FILE, WEIGHT_FILE, emit
from onnx2snn.backends.torch.rules import RULES, GraphRule
from onnx2snn.extras import need
from onnx2snn.ir import Graph, load_graph
from onnx2snn.reference import settle_bound

if TYPE_CHECKING:
    from onnx2snn.backends.torch.module import SpikingModule


def _of_network(rule: GraphRule) -> DesignRule:
    @wraps(rule)
    def checked(network: Network) -> list[str]:
        schedule, graph = network.schedule, network.graph
        settle = settle_bound(graph, schedule.steps) if schedule.settle is None else schedule.settle
        return list(rule(graph, schedule.steps + settle))

    return checked


@final
class TorchBackend(Backend):
    """`model.py` and `weights.safetensors`; real-valued networks can be trained further. Needs torch to simulate."""

    name: ClassVar[str] = "torch"
    summary: ClassVar[str] = "a standalone PyTorch module, trainable in real arithmetic"
    rules: ClassVar[tuple[DesignRule, ...]] = tuple(map(_of_network, RULES))

    def emit(self, network: Network, folder: Path) -> None:
        """Writes the module's text and its arrays; PyTorch itself is not needed for that."""
        emit(network, folder)

    def audit(self, network: Network, folder: Path) -> list[str]:
        """Writes both files again and compares: they must be what this network gives, byte for byte."""
        with tempfile.TemporaryDirectory() as scratch:
            emit(network, Path(scratch))
            files = (MODEL_FILE, WEIGHT_FILE)
            return [
                f"{name} does not say the same as the network beside it"
                for name in files
                if not _same(name, folder, Path(scratch))
            ]

    def simulator(self, folder: Path, manifest: Manifest) -> Simulator:
        """Runs the graph of the artifact; `model.py` is never executed. `MissingExtraError` where torch is missing."""
        need("a simulator in PyTorch", "torch")
        from onnx2snn.backends.torch.simulator import TorchSimulator

        schedule = manifest.schedule
        return TorchSimulator(load_graph(folder), schedule.steps, schedule.settle)


def build(graph: Graph, steps: int, settle: int | None = None) -> SpikingModule:
    """The torch module of a spiking graph for `steps` inject steps and `settle` more; None: until it is silent.

    Raises `BackendError` where the graph holds what it cannot run, `MissingExtraError` where torch is missing.
    """
    need("a torch module", "torch")
    from onnx2snn.backends.torch import module

    return module.build(graph, steps, settle)


def _same(name: str, folder: Path, other: Path) -> bool:
    return (folder / name).is_file() and (folder / name).read_bytes() == (other / name).read_bytes()


__all__ = ["TorchBackend", "build"]
