"""Synaptic operations and MACs of the bundled network: our counters and SpikingJelly's on the same spikes.

    python benchmarks/counters.py --spikingjelly PYTHON

PYTHON: the interpreter of an environment with torch and spikingjelly. Writes benchmarks/results/counters.json. Where
both count the same the numbers are equal. Where they do not: SpikingJelly takes trains of 0 and 1 alone, so spikes up
and down are given to it one after the other (`signed`, as they are, counts nothing); its MACs count padding. A layer
behind an average pool is left out: what it reads there are sums, no spikes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import onnx2snn
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import MOVES, Conv, Dense, Neuron
from onnx2snn.metrics import Tally
from onnx2snn.reference import Run, apply

RESULT = Path(__file__).parent / "results" / "counters.json"
DEMO = files("onnx2snn") / "demo"
SAMPLES = 20


class Trains:
    """A watch that keeps every spike train of one chunk."""

    def __init__(self) -> None:
        self.parts: dict[str, list[Array]] = {}

    def begin(self, sample: int, x: Array) -> None: ...

    def spikes(self, name: str, tick: int, train: Array) -> None:
        self.parts.setdefault(name, []).append(train)

    def readout(self, name: str, tick: int, sums: Array) -> None: ...

    def advanced(self, tick: int, stop: int) -> None: ...

    def end(self, run: Run) -> None: ...


def ours() -> tuple[dict[str, dict[str, int]], dict[str, Array]]:
    """Our figures by population, and its spikes and weights for another counter."""
    network = onnx2snn.convert(str(DEMO / "digits.onnx"), code="st-bif").network
    with np.load(str(DEMO / "digits.npz")) as data:
        x = data["x"][:SAMPLES]
    graph, tally, trains = network.graph, Tally(network.graph), Trains()
    simulator = NumpySimulator(graph, network.schedule.steps, network.schedule.settle)
    simulator.samples = SAMPLES
    for watch in (tally, trains):
        simulator.run(x, watch=watch)
    figures: dict[str, dict[str, int]] = {}
    arrays: dict[str, Array] = {}
    for node in graph.of(Conv, Dense):
        source, moves = _behind(graph, node.inputs[0])
        if not isinstance(graph[source].op, Neuron):
            continue
        train = np.concatenate(trains.parts[source])
        arrays |= _written(source, node.op, _moved(graph, moves, train.reshape(-1, *train.shape[2:])))
        macs = SAMPLES * int(tally.fans[source].macs.sum())
        figures[source] = {"operations": int(tally.counters[f"operations/{source}"].sum()), "macs": macs}
    return figures, arrays


def _behind(graph: Graph, name: str) -> tuple[str, list[str]]:
    """What a synapse reads, and the moves between them."""
    moves: list[str] = []
    while isinstance(graph[name].op, MOVES):
        moves.insert(0, name)
        name = graph[name].inputs[0]
    return name, moves


def _moved(graph: Graph, moves: list[str], x: Array) -> Array:
    for name in moves:
        x = apply(graph[name].op, x)
    return x


def _written(name: str, op: Any, train: Array) -> dict[str, Array]:
    found = {f"{name}:train": train, f"{name}:weight": op.weight, f"{name}:samples": np.asarray(SAMPLES)}
    if isinstance(op, Conv):
        found |= {f"{name}:{key}": np.asarray(getattr(op, key)) for key in ("strides", "pads", "dilations", "groups")}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spikingjelly", required=True, metavar="PYTHON")
    options = parser.parse_args()
    figures, arrays = ours()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spikes.npz"
        np.savez(path, allow_pickle=False, **arrays)
        script = str(Path(__file__).with_name("counters_spikingjelly.py"))
        done = subprocess.run([options.spikingjelly, script, str(path)], capture_output=True, text=True, check=True)
    RESULT.write_text(json.dumps({"samples": SAMPLES, "ours": figures, **json.loads(done.stdout)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
