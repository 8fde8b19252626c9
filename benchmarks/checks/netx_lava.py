"""Loads files of the `netx` backend with lava-dl's own reader, runs them bit-accurately and compares every spike.

In the project's environment, then in one with lava-dl:

    python benchmarks/checks/netx_lava.py make FOLDER
    python benchmarks/checks/netx_lava.py run FOLDER

`make` converts small random networks and writes what the emulator says; `run` says how many spikes and sums differ and
exits with 1 where one does. On Python 3.11 the second environment needs

    pip install "numpy>=1.24.4,<2" "scipy<1.14" "networkx<=2.8.7" "asteval<0.10" "scikit-learn<2" h5py matplotlib \
        "opencv-python-headless==4.10.0.84" torch==2.13.0
    pip install --no-deps --ignore-requires-python lava-nc==0.10.0 lava-dl==0.6.0

and in lava/magma/compiler/var_model.py `field(default_factory=ByteEncoder)` for the default `ByteEncoder()`, which
Python 3.11 refuses, with `field` imported from dataclasses. Nothing of Lava is needed by the package itself.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

SAMPLES = 24


# -- in the project's environment ------------------------------------------------------------------------------------


def make(folder: Path) -> None:
    """Artifacts of one step and of several, and the spikes and sums that the emulator finds."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    from onnx2snn.backends.loihi.netx import NetxBackend, NetxEmulator
    from onnx2snn.flow.conversion.convert import convert

    for name, model in import_module("netx_models").NETX_MODELS.items():
        for steps in (1, 15):
            place = folder / f"{name}-{steps}"
            place.mkdir(parents=True, exist_ok=True)
            backend = NetxBackend(approximate=steps > 1)
            network = convert(model(place / "model.onnx"), steps=steps).lower(backend)
            backend.emit(network, place)
            emulator = NetxEmulator(place)
            x = np.random.default_rng(0).random((SAMPLES, *network.input_shape)).astype(np.float32)
            spikes, run = emulator.host_spikes(x), emulator.run(x)
            sums = np.rint((run.output.reshape(len(x), -1) - emulator.offset) / emulator.value).astype(np.int64)
            counts = list(run.counts.values())[-1].reshape(len(x), -1)
            np.savez(place / "expected.npz", spikes=spikes, sums=sums, counts=counts)
            (place / "shapes.json").write_text(json.dumps([shape for _, shape in emulator.tables.populations]))
            print(f"{place}: {counts.sum()} spikes in the last population")


# -- in the environment with lava-dl ---------------------------------------------------------------------------------


def run(folder: Path) -> int:
    """Compares all artifacts in the folder; returns the number of differences."""
    differing = 0
    for place in sorted(p.parent for p in folder.glob("*/network.net")):
        expected = np.load(place / "expected.npz")
        sums, counts = simulated(place, expected["spikes"])
        wrong = int((sums != expected["sums"]).sum()), int((counts != expected["counts"]).sum())
        print(f"{place.name}: {wrong[0]} of {sums.size} sums and {wrong[1]} of {counts.size} counts differ")
        differing += sum(wrong)
    return differing


def simulated(place: Path, spikes: Any) -> tuple[Any, Any]:
    """Sums of the readout (samples, outputs) and counts of the last population (samples, neurons) by Lava.

    spikes: of the first population, (steps, samples, neurons); samples follow each other in windows of `steps` ticks.
    """
    from unittest.mock import MagicMock

    for module in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules.setdefault(module, MagicMock())
    from lava.lib.dl import netx  # type: ignore[import-not-found]
    from lava.magma.core.run_conditions import RunSteps  # type: ignore[import-not-found]
    from lava.magma.core.run_configs import Loihi2SimCfg  # type: ignore[import-not-found]
    from lava.proc.io.sink import RingBuffer as Sink  # type: ignore[import-not-found]
    from lava.proc.io.source import RingBuffer as Source  # type: ignore[import-not-found]
    from lava.proc.monitor.process import Monitor  # type: ignore[import-not-found]

    steps, samples, _ = spikes.shape
    shape = json.loads((place / "shapes.json").read_text())[0]
    # a spike sent in tick t arrives in tick t + 1, so the window of the first layer begins at 2
    options = {} if steps == 1 else {"reset_interval": steps, "reset_offset": 1}
    net = netx.hdf5.Network(net_config=str(place / "network.net"), **options)
    stream = spikes.transpose(1, 0, 2).reshape(samples * steps, *shape).astype(np.int32)  # ticks, sample after sample
    if len(net.inp.shape) == 3:
        stream = stream.transpose(0, 3, 2, 1)  # the reader's order: x, y, channel
    stream = stream.reshape(samples * steps, *net.inp.shape)
    ticks = samples * steps + len(net) + 1
    data = np.concatenate([stream, np.zeros((ticks - len(stream), *net.inp.shape), np.int32)])
    source = Source(data=np.moveaxis(data, 0, -1))
    source.s_out.connect(net.inp)
    sink = Sink(shape=net.out.shape, buffer=ticks)
    net.out.connect(sink.a_in)
    probes = {"state": Monitor(), "spikes": Monitor()}
    probes["state"].probe(net.layers[-1].neuron.u if steps == 1 else net.layers[-1].neuron.v, ticks)
    probes["spikes"].probe(net.layers[-2].neuron.s_out, ticks)
    net.run(condition=RunSteps(num_steps=ticks), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    found = {name: next(iter(next(iter(probe.get_data().values())).values())) for name, probe in probes.items()}
    net.stop()
    last = len(net)  # the window of sample i in the layer l (from 1) is ticks i steps + l + 1 ... (i + 1) steps + l
    state = found["state"].reshape(ticks, -1)[last + steps * (1 + np.arange(samples)) - 1]
    fired = found["spikes"].reshape(ticks, *found["spikes"].shape[1:])
    if fired.ndim == 4:
        fired = fired.transpose(0, 3, 2, 1)
    fired = fired.reshape(ticks, -1)[last - 1 : last - 1 + samples * steps]
    return state.astype(np.int64) >> 6, fired.reshape(samples, steps, -1).sum(axis=1)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "run"):
        sys.exit(__doc__)
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        sys.exit(run(Path(sys.argv[2])) > 0)
