"""An artifact of a trained spiking network measured against that network, run in float64 step by step.

One in whole numbers is held against its own definition as well: what an emulator makes of a chip's tables are to be the
very counts of the artifact's network.
"""

from __future__ import annotations

from collections.abc import Callable

from onnx2snn.flow.opening import Artifact
from onnx2snn.flow.verification.parity import Batch, batch_of, layer_parity
from onnx2snn.ir import Array, Graph
from onnx2snn.reference import run

EXECUTOR = "the trained spiking network in float64"


def imported_measure(artifact: Artifact, graph: Graph, trained: Graph) -> Callable[[Array], Batch]:
    """What measures counts and outputs of the artifact, whose network is `graph`, beside those of the trained one."""
    schedule, simulator = artifact.manifest.schedule, artifact.simulator()
    whole = artifact.manifest.arithmetic == "integer"

    def measure(x: Array) -> Batch:
        wanted, found = run(trained, x, schedule.steps, schedule.settle), simulator.run(x)
        own = run(graph, x, schedule.steps, schedule.settle).counts if whole else found.counts
        layers = [
            layer_parity(name, counts, found.counts[name], own=own[name]) for name, counts in wanted.counts.items()
        ]
        return batch_of((found.output,), (wanted.output,), schedule.steps + (schedule.settle or 0), layers)

    return measure
