"""An artifact of a trained spiking network measured against that network, run in float64 step by step.

One in whole numbers is held against its own definition as well: what an emulator makes of a chip's tables are to be the
very counts of the artifact's network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnx2snn.flow.opening import Artifact
from onnx2snn.flow.verification.parity import Batch, LayerParity, batch_of
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
        layers = [_layer(name, found.counts[name], counts, own[name]) for name, counts in wanted.counts.items()]
        return batch_of((found.output,), (wanted.output,), schedule.steps + (schedule.settle or 0), layers)

    return measure


def _layer(name: str, found: Array, wanted: Array, own: Array) -> LayerParity:
    difference = np.abs(found - wanted)
    worst = int(difference.max(initial=0))
    return LayerParity(
        name,
        counts=wanted.size,
        cumulative=int(np.count_nonzero(difference)),
        worst=worst,
        own=int((found != own).sum()),
    )
