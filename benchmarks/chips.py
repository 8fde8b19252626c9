"""Trained networks on the tables of chips: emulators against the NumPy simulator and ONNX Runtime, accuracy, cores.

    onnx2snn train --recipe benchmarks/recipes/fast_snn_small.toml --arch lenet --scheme lsq --data mnist --epochs 3 \
        --limit-train 30000 --seed 1 -o runs/mnist-lenet
    onnx2snn train --recipe benchmarks/recipes/fast_snn_small.toml --arch chipnet --scheme lsq --data mnist \
        --schedule 32 --epochs 12 --seed 1 -o runs/mnist-chipnet
    onnx2snn train --recipe benchmarks/recipes/fast_snn_small.toml --arch chipnet --scheme lsq --data mnist \
        --schedule 4,2 --init runs/mnist-chipnet/32-bit --epochs 2 --seed 1 -o runs/mnist-chipnet-low
    python benchmarks/chips.py runs/mnist-lenet [--bits 4 2] [--images 10000] [--codes ladder if] [--minutes 15]

For each precision, chip and code: does it fit, on how many cores, what binds; on the first test images the emulator's
counts of every population beside those of the NumPy simulator of the same network, and beside ONNX Runtime's; accuracy.
A network of one code runs on as many images as its minutes of processor time allow. Samples in 1,000 timesteps are
those of a full pipeline: one in every timestep of code ladder, one in T of code if. Adds the network, under the names
of its data and architecture, to benchmarks/results/chips.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

import onnx2snn
from onnx2snn.backends.chains.backend import ChainBackend
from onnx2snn.backends.chains.partition import read_cores
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.errors import BackendError
from onnx2snn.flow.opening import open_artifact
from onnx2snn.flow.verification.reference import OnnxTruth, exact_counts
from onnx2snn.frontends.onnx import read_onnx
from onnx2snn.ir import Array
from onnx2snn.passes import approximate
from onnx2snn.passes.text import parse_recipe
from onnx2snn.plugins import load_backend
from onnx2snn.training import export_onnx, load_run
from onnx2snn.training.data import default_data, load, write_samples

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "chips.json"
CHIPS = {"loihi1": "loihi", "loihi2": 'loihi{chip="loihi2"}', "tianjicx": "tianjic"}
BATCH = 250
COUNTED = (
    "images",
    "right",
    "ann_right",
    "counts",
    "from_numpy",
    "from_onnx",
    "near_ties",
    "outputs_from_numpy",
)


def placed(model: Path, folder: Path, backend: str, code: str) -> dict[str, Any]:
    """Tables in `folder`, and what they take of the chip; or why there are none."""
    conversion = onnx2snn.convert(model, code=code)
    try:
        manifest = conversion.save(folder, backend, force=True)
    except BackendError as error:
        return {"refused": str(error)}
    chosen = load_backend(backend)
    assert isinstance(chosen, ChainBackend)
    cores = read_cores(folder)
    proven, total = (sum(getattr(layer, field) for layer in manifest.layers) for field in ("proven", "breakpoints"))
    return {
        "refused": "",
        "cores": cores.cores,
        "chips": cores.chips,
        "binding": cores.binding,
        "exact": all(layer.exactness == "exact" for layer in manifest.layers),
        "breakpoints": f"{proven} of {total}",
        "steps": manifest.steps,
        "latency": manifest.steps + manifest.pipeline_steps,
        "samples_per_1000_timesteps": 1000 / manifest.steps,
        "audit": onnx2snn.verify(model, folder).findings,
    }


def compared(model: Path, folder: Path, x: Array, y: Array, minutes: float) -> dict[str, Any]:
    """The emulator on as many samples as fit the time, batch by batch, against both references."""
    artifact = open_artifact(folder)
    graph, schedule = artifact.graph(), artifact.manifest.schedule
    reference, _ = approximate(read_onnx(model).graph, parse_recipe(artifact.manifest.staircase_passes))
    truth, emulator = OnnxTruth(model, reference), artifact.simulator()
    simulator = NumpySimulator(graph, schedule.steps, schedule.settle)
    found: dict[str, Any] = dict.fromkeys(COUNTED, 0)
    emulating, simulating, started = 0.0, 0.0, time.process_time()
    for place in range(0, len(x), BATCH):
        if time.process_time() - started > 60 * minutes:
            break
        part, labels = x[place : place + BATCH], y[place : place + BATCH]
        before = time.process_time()
        run = emulator.run(part)
        between = time.process_time()
        same = simulator.run(part)
        emulating, simulating = emulating + between - before, simulating + time.process_time() - between
        expected = truth.of(part)
        found["images"] += len(part)
        found["right"] += int((run.output.argmax(axis=1) == labels).sum())
        found["ann_right"] += int((expected.outputs[0].argmax(axis=1) == labels).sum())
        for name, counts in run.counts.items():
            wrong = counts != expected.counts[name]
            found["counts"] += counts.size
            found["from_numpy"] += int((counts != same.counts[name]).sum())
            found["from_onnx"] += int(wrong.sum())
            if artifact.manifest.code == "ladder" and wrong.any():
                found["near_ties"] += int((wrong & (counts == exact_counts(reference, part)[name])).sum())
        found["outputs_from_numpy"] += int((run.output != same.output).sum())
    return {
        **found,
        "accuracy": found["right"] / found["images"],
        "ann_accuracy": found["ann_right"] / found["images"],
        "emulator_cpu_seconds": round(emulating, 1),
        "simulator_cpu_seconds": round(simulating, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder that train made")
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 2])
    parser.add_argument("--images", type=int, default=10_000, help="test images")
    parser.add_argument("--codes", nargs="+", choices=["ladder", "if"], default=["ladder", "if"])
    parser.add_argument("--chips", nargs="+", choices=list(CHIPS), default=list(CHIPS))
    parser.add_argument("--minutes", type=float, default=15, help="processor time of one code on one chip")
    args = parser.parse_args()
    for bits in args.bits:
        run = args.runs / f"{bits}-bit"
        network, record = load_run(run)
        test = None if record.test_data is None else Path(record.test_data)
        data = load(record.data, default_data(ROOT), split=run / "split.json", size=record.size, test=test)
        samples, model = run / "chips.npz", run / "chips.onnx"
        write_samples(samples, data.test, args.images)
        export_onnx(network, record.shape, model, samples=data.test[0][0][None].numpy())
        with np.load(samples) as arrays:
            x, y = arrays["x"], arrays["y"]
        for chip in args.chips:
            for code in args.codes:
                folder = run / f"chips-{chip}-{code}"
                row = placed(model, folder, CHIPS[chip], code)
                if not row["refused"]:
                    row |= compared(model, folder, x, y, args.minutes)
                print(record.data, record.arch, bits, chip, code, row, flush=True)
                results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
                entry = results.setdefault(f"{record.data} {record.arch} {bits}", {"chips": {}})
                entry |= {
                    "commands": [record.command, f"python benchmarks/chips.py {args.runs} --images {args.images}"],
                    "machine": {"python": platform.python_version(), "system": platform.system()},
                    "training_images": record.limit_train or record.images,
                    "epochs": record.epochs,
                    "test": record.test,
                }
                entry["chips"].setdefault(chip, {})[code] = row
                RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
