"""Opening an artifact that was written before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onnx2snn.analysis.certificate import Certificate
from onnx2snn.artifact import FineTuning, Manifest, Network, Source, check_files, read_manifest
from onnx2snn.backends.base import Backend, Simulator
from onnx2snn.errors import ArtifactError
from onnx2snn.flow.evaluation.read_back import ReadBack
from onnx2snn.ir import Graph, load_graph
from onnx2snn.plugins import load_backend


@dataclass(frozen=True)
class Artifact:
    """An artifact folder with its manifest and the backend that made it."""

    folder: Path
    manifest: Manifest
    backend: Backend

    def graph(self) -> Graph:
        """The spiking graph in it."""
        return load_graph(self.folder)

    def network(self, graph: Graph, certificate: Certificate, fine_tuning: FineTuning | None = None) -> Network:
        """The network in it, or one made of it, with what is proven of that."""
        manifest = self.manifest
        return Network(
            graph=graph,
            schedule=manifest.schedule,
            code=manifest.code,
            integer=manifest.arithmetic == "integer",
            source=Source(manifest.model.file, manifest.model.sha256),
            staircase_passes=manifest.staircase_passes,
            neuron_passes=manifest.neuron_passes,
            certificate=certificate,
            command=manifest.command,
            notes=manifest.notes,
            fine_tuning=fine_tuning or manifest.fine_tuning,
            reading=manifest.reading,
        )

    def simulator(self) -> Simulator:
        """What runs it; an exchange file is read back for it."""
        if self.backend.exchange:
            return ReadBack(self.folder / self.backend.exchange, self.graph(), self.manifest)
        return self.backend.simulator(self.folder, self.manifest)


def open_artifact(folder: Path, trust: bool = False) -> Artifact:
    """Reads the manifest and finds the backend; nothing in the folder is executed.

    Raises `ArtifactError` where the folder is no artifact or, unless `trust`, a file differs from its hash.
    """
    manifest = read_manifest(folder)
    wrong = [] if trust else check_files(folder, manifest)
    if wrong:
        raise ArtifactError(f"{folder}: {'; '.join(wrong)}; convert again")
    return Artifact(folder, manifest, load_backend(manifest.backend))
