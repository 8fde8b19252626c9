"""Runs tables of the example backend for PAICORE in PAIBox, the chip's public simulator, and compares every spike.

In the project's environment, then in one with PAIBox:

    python benchmarks/checks/paicore_paibox.py make FOLDER
    python benchmarks/checks/paicore_paibox.py run FOLDER [RESULT.json]

`make` converts small random networks and writes what the emulator of `examples/paicore` finds, tick by tick; `run`
builds them in PAIBox from `tables.json` and `tables.safetensors` alone, says how many spikes differ and exits with 1
where one does. The second environment needs `pip install paibox==1.2.2 safetensors`.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

SAMPLES = 8
ROOT = Path(__file__).parents[2]


# -- in the project's environment ------------------------------------------------------------------------------------


def make(folder: Path) -> None:
    """Artifacts, and the spikes of every population at every tick."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "examples" / "paicore")]
    paicore = import_module("paicore")
    from onnx2snn.flow.conversion.convert import convert

    for name, model in import_module("netx_models").NETX_MODELS.items():
        for steps in (3, 15):
            place = folder / f"{name}-{steps}"
            place.mkdir(parents=True, exist_ok=True)
            backend = paicore.PaicoreBackend()
            network = convert(model(place / "model.onnx"), code="if", steps=steps).lower(backend)
            backend.emit(network, place)
            x = np.random.default_rng(0).random((SAMPLES, *network.input_shape)).astype(np.float32)
            np.savez(place / "expected.npz", *traced(paicore.PaicoreEmulator(place), x))
            print(f"{place} written")


def traced(emulator: Any, x: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Spikes of every population, (steps, samples, neurons) bool."""
    stages = emulator.stages(*emulator.drive.split(x, emulator.steps))[:-1]
    trains: list[list[Any]] = [[] for _ in stages]
    for _ in range(emulator.steps):
        arriving = None
        for stage, train in zip(stages, trains, strict=True):
            arriving = stage.tick(arriving)
            train.append(arriving)
    return [np.stack(train) for train in trains]


# -- in the environment with PAIBox ----------------------------------------------------------------------------------


def run(folder: Path) -> dict[str, Any]:
    """Compares all artifacts in the folder."""
    commands = [f"python benchmarks/checks/paicore_paibox.py {word} FOLDER" for word in ("make", "run")]
    found: dict[str, Any] = {"commands": commands, "paibox": version("paibox"), "networks": {}}
    for place in sorted(p.parent for p in folder.glob("*/tables.json")):
        with np.load(place / "expected.npz") as file:
            trains = [file[name] for name in file.files]
        counted = np.zeros(2, np.int64)
        for sample in range(trains[0].shape[1]):
            spikes = simulated(place, trains[0][:, sample])
            expected = [train[:, sample] for train in trains[1:]]
            counted += [
                sum(int((a != b).sum()) for a, b in zip(spikes, expected, strict=True)),
                sum(map(np.size, spikes)),
            ]
        fired = sum(int(train.sum()) for train in trains[1:])
        found["networks"][place.name] = {"differ": int(counted[0]), "compared": int(counted[1]), "spikes": fired}
        print(f"{place.name}: {counted[0]} of {counted[1]} places and ticks differ; {fired} spikes")
    return found


def simulated(place: Path, host: Any) -> list[Any]:
    """Spikes of the populations on cores, (steps, neurons) each; host: those of the first one."""
    import paibox as pb  # type: ignore[import-not-found]
    from safetensors.numpy import load_file

    tables, arrays = json.loads((place / "tables.json").read_text()), load_file(place / "tables.safetensors")
    steps, layers = tables["steps"], tables["populations"][1:]
    net = pb.Network()
    parts: list[list[Any]] = []
    before = [(pb.InputProj(input=at(host, 1), shape_out=(host.shape[1],)), np.arange(host.shape[1]))]
    nodes: list[Any] = [before[0][0]]
    for number, layer in enumerate(layers, 1):
        name, size = layer["name"], int(np.prod(layer["shape"]))
        matrix = unrolled(layer["geometry"], arrays[f"{name}/weight"])
        start = pb.InputProj(input=at(np.ones((1, layer["starts"]), bool), number), shape_out=(layer["starts"],))
        nodes.append(start)
        thresholds, parts_here = arrays[f"{name}/threshold"], []
        for threshold in np.unique(thresholds):  # a group of PAIBox has one
            mine = np.flatnonzero(thresholds == threshold)
            leak = arrays[f"{name}/leak"][mine]
            neurons = pb.LIF((len(mine),), threshold=int(threshold), bias=leak, tick_wait_start=number)
            probe = pb.Probe(neurons, "spike")
            links = [
                pb.FullConn(source, neurons, weights=weights, conn_type=pb.SynConnType.All2All)
                for source, weights in [
                    *((source, matrix[np.ix_(rows, mine)]) for source, rows in before),
                    (start, arrays[f"{name}/start"][:, mine]),
                ]
            ]
            nodes += [neurons, probe, *links]
            parts_here.append((neurons, mine, probe))
        before = [(neurons, mine) for neurons, mine, _ in parts_here]
        parts.append([(mine, probe, size) for _, mine, probe in parts_here])
    for i, node in enumerate(nodes):
        setattr(net, f"node{i}", node)
    simulator = pb.Simulator(net)
    simulator.run(steps + len(layers))
    return [gathered(simulator, part, number, steps) for number, part in enumerate(parts)]


def gathered(simulator: Any, part: list[Any], first: int, steps: int) -> Any:
    """Spikes of one population in its window, (steps, neurons)."""
    train = np.zeros((steps, part[0][2]), bool)
    for mine, probe, _ in part:
        train[:, mine] = np.asarray(simulator.data[probe])[first : first + steps].reshape(steps, -1)
    return train


def at(trains: Any, first: int) -> Any:
    """An input that sends (ticks, axons) from tick `first` on, nothing else."""

    def send(t: int, **_: Any) -> Any:
        here = t - first
        return trains[here] if 0 <= here < len(trains) else np.zeros(trains.shape[1], bool)

    return send


def unrolled(geometry: dict[str, Any], weight: Any) -> Any:
    """Weights as a matrix (sources, targets) int8."""
    if geometry["kind"] == "dense":
        return np.ascontiguousarray(weight.T)
    (channels, *space), (outputs, *made) = geometry["reads"], geometry["makes"]
    rank, groups, kernel = len(space), geometry["groups"], weight.shape[2:]
    matrix = np.zeros((channels, *space, outputs, *made), np.int8)
    inside, outside = channels // groups, outputs // groups
    for out, place in product(range(outputs), product(*map(range, made))):
        for tap in product(*map(range, kernel)):
            at_ = tuple(
                place[i] * geometry["strides"][i] + tap[i] * geometry["dilations"][i] - geometry["pads"][i]
                for i in range(rank)
            )
            if all(0 <= at_[i] < space[i] for i in range(rank)):
                rows = slice(out // outside * inside, (out // outside + 1) * inside)
                matrix[(rows, *at_, out, *place)] = weight[(out, slice(None), *tap)]
    return matrix.reshape(channels * int(np.prod(space)), -1)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in ("make", "run"):
        sys.exit(__doc__)
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        result = run(Path(sys.argv[2]))
        if len(sys.argv) == 4:
            Path(sys.argv[3]).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        sys.exit(any(network["differ"] for network in result["networks"].values()))
