"""An exchange file run as it stands: read back by its frontend, not taken from the network beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.artifact import Manifest
from onnx2snn.errors import ArtifactError
from onnx2snn.flow.reading import read_model
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Encoder, Neuron
from onnx2snn.passes import IMPORTED, InjectSteps, run_passes
from onnx2snn.reference import Run, evaluate, run


@dataclass(frozen=True)
class ReadBack:
    """Runs `file` of an artifact in float64, one step after the other.

    network: the artifact's own graph, of which only the encoder is used: the file begins behind it.
    Raises `ArtifactError` where the file has not the populations of the network.
    """

    file: Path
    network: Graph
    manifest: Manifest

    def run(self, x: Array) -> Run:
        """Simulates `x` (batch, *input shape)."""
        steps = self.manifest.steps
        graph = run_passes(read_model(self.file).graph, (*IMPORTED[3:], InjectSteps(steps)))
        names = paired(self.network, graph)
        found = run(graph, self._encoded(x) / steps, steps, 0)
        counts = {names[name]: count for name, count in found.counts.items()}
        spikes = {names[name]: count for name, count in found.spikes.items()}
        return Run(found.outputs, found.steps, counts, spikes)

    def _encoded(self, x: Array) -> Array:
        encoders = self.network.of(Encoder)
        if not encoders:
            return x.astype(np.float64)
        sender = self.network.copy()
        sender.outputs = (encoders[0].name,)
        sender.prune()
        return evaluate(sender, x)[encoders[0].name]


def paired(network: Graph, read: Graph) -> Mapping[str, str]:
    """The population of `network` that each one of `read` was written for, by name.

    A name whose "/" became "." and that was taken has a number behind it, given in topological order.
    """
    free = {node.origin.node: node.name for node in read.of(Neuron)}
    found: dict[str, str] = {}
    for node in network.of(Neuron):
        plain = node.name.replace("/", ".")
        name = next((n for n in (plain, *(f"{plain}.{i}" for i in range(2, len(network) + 3))) if n in free), None)
        if name is None:
            raise ArtifactError(
                f"a population {plain!r} in the exchange file expected, found {', '.join(free) or 'none'}"
            )
        found[free.pop(name)] = node.name
    if free:
        raise ArtifactError(f"the network's populations expected in the exchange file, found {', '.join(free)} as well")
    return found
