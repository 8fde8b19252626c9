"""A whole backend: an imaginary chip of 256 neurons with one threshold table."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from onnx2snn.artifact import Manifest, Network
from onnx2snn.backends import Backend
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.ir import load_graph
from onnx2snn.ir.ops import Neuron

NEURONS = 256


def at_most_256_neurons(network: Network) -> Iterator[str]:
    """The chip has no more."""
    needed = sum(int(np.prod(network.graph.shape(name))) for name in network.neurons)
    if needed > NEURONS:
        yield f"{needed} neurons needed, {NEURONS} there are"


class ToyChip(Backend):
    """`thresholds.csv`: one line a population."""

    name = "toychip"
    summary = "an imaginary chip of 256 neurons"
    codes = ("st-bif",)
    arithmetic = ("integer",)
    rules = (at_most_256_neurons,)

    def emit(self, network: Network, folder: Path) -> None:
        rows = [[n.name, *n.op.theta.ravel()] for n in network.graph if isinstance(n.op, Neuron)]
        (folder / "thresholds.csv").write_text("".join(f"{','.join(map(str, row))}\n" for row in rows))

    def simulator(self, folder: Path, manifest: Manifest) -> NumpySimulator:
        return NumpySimulator(load_graph(folder), manifest.schedule.steps, manifest.schedule.settle)
