"""The `numpy` backend: the network as it is, and a simulator that needs nothing but NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from onnx2snn.artifact import Manifest, Network
from onnx2snn.backends.base import Backend
from onnx2snn.backends.numpy.simulator import NumpySimulator
from onnx2snn.ir import load_graph


@final
class NumpyBackend(Backend):
    """Arrays and text of the spiking graph; simulated in exact integers or float64."""

    name: ClassVar[str] = "numpy"
    summary: ClassVar[str] = "arrays and a simulator, bit-exact in integers"
    calibrates: ClassVar[bool] = True

    def emit(self, network: Network, folder: Path) -> None:
        """Nothing of its own: `network.txt` and `arrays.safetensors` are what it reads."""

    def simulator(self, folder: Path, manifest: Manifest) -> NumpySimulator:
        schedule = manifest.schedule
        return NumpySimulator(load_graph(folder), schedule.steps, schedule.settle, schedule.calibrate)


__all__ = ["NumpyBackend", "NumpySimulator"]
