"""Fast-SNN's progressive training: a network at 32, 4, 3 and 2 bits, and what each code makes of it.

    onnx2snn train --recipe benchmarks/recipes/fast_snn_mnist.toml --arch alexnet --limit-train 30000 --seed 1 \
        -o runs/alexnet
    python benchmarks/fast_snn.py runs/alexnet [--images 2000] [--tuned-on 1000] [--bits 3 2]
    python benchmarks/fast_snn.py runs/alexnet --whole [--bits 3 2]
    python benchmarks/fast_snn.py runs/alexnet --whole --calibrated [--bits 2]
    python benchmarks/fast_snn.py runs/alexnet --whole --corrected 128 [--bits 2]

For each precision b, on the first test images: the quantised network in ONNX Runtime; codes `if` and `signed-if` at
T = 2^b - 1 steps; `signed-if` fine-tuned layer by layer on training images (`--tuned-on 0`: left out); `st-bif` until
silent; each with the predictions that differ from ONNX Runtime's. Adds the network, under the names of its data and
architecture, to benchmarks/results/fast_snn.json. `--whole` then runs the inexact codes' artifacts on all test
images, in PyTorch, which takes less time; `--calibrated` runs code `if` there with initial membranes found in as many
steps before each run (`--calibrate-steps T`), in NumPy; `--corrected N` runs it with initial membranes corrected once,
on N training images (`--correct v0`), in T steps.
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
from onnx2snn.flow.opening import open_artifact
from onnx2snn.training import accuracy, export_onnx, load_run, run_onnx
from onnx2snn.training.data import arrays, default_data, load, write_samples
from onnx2snn.training.finetune import Options, finetune

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "fast_snn.json"
Array = np.ndarray[Any, np.dtype[Any]]


def measure(run: Path, samples: Path, tuning: Path | None) -> dict[str, Any]:
    """One precision of one network."""
    network, record = load_run(run)
    with np.load(samples) as file:
        x, y = file["x"], file["y"]
    model = run / "model.onnx"
    parity = export_onnx(network, record.shape, model, samples=x[:200])
    expected = run_onnx(model, x)
    found: dict[str, Any] = {
        "ann": accuracy(expected, y),
        "ann_on_all_test_images": record.test,
        "parity": str(parity),
        "training": record.model_dump(
            mode="json", include={"epochs", "images", "seconds", "validation", "seed", "recipe"}
        ),
    }
    for code in ("if", "signed-if", "st-bif"):
        conversion = onnx2snn.convert(model, code=code)
        conversion.save(run / code, force=True)
        found[code] = simulated(run / code, samples, expected)
        if conversion.certificate.exact:
            found[code]["proven"] = f"all {conversion.certificate.breakpoints} breakpoints, every count"
        print(run, code, found[code], flush=True)
    if tuning is None:
        return found
    started = time.process_time()
    tuned = finetune(run / "signed-if", tuning, run / "fine-tuned", Options(), force=True)
    seconds = round(time.process_time() - started, 1)
    found["signed-if, fine-tuned"] = {
        **simulated(run / "fine-tuned", samples, expected),
        "layers_kept": tuned.report.kept,
        "cpu_seconds_of_tuning": seconds,
    }
    print(run, "fine-tuned", found["signed-if, fine-tuned"], flush=True)
    return found


def simulated(artifact: Path, samples: Path, expected: Array) -> dict[str, Any]:
    """An artifact on the test images, next to what ONNX Runtime gives."""
    started = time.process_time()
    result = onnx2snn.simulate(artifact, samples)
    return {
        "accuracy": result.accuracy,
        "steps": result.steps,
        "predictions_that_differ": int((result.output.argmax(1) != expected.argmax(1)).sum()),
        "largest_difference_of_an_output": float(np.abs(result.output - expected).max()),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def whole(run: Path, x: Array, y: Array) -> dict[str, float]:
    """Accuracy of the artifacts of inexact codes that `measure` left, on all test images."""
    folders = {"if": "if", "signed-if": "signed-if", "signed-if, fine-tuned": "fine-tuned"}
    return {code: in_torch(run / name, x, y) for code, name in folders.items() if (run / name).is_dir()}


def in_torch(folder: Path, x: Array, y: Array) -> float:
    """Accuracy of an artifact, in PyTorch."""
    import torch

    from onnx2snn.backends.torch.simulator import TorchSimulator

    torch.set_num_threads(1)
    artifact = open_artifact(folder)
    schedule = artifact.manifest.schedule
    simulator = TorchSimulator(artifact.graph(), schedule.steps, schedule.settle)
    found = accuracy(np.concatenate([simulator.run(x[n : n + 100]).output for n in range(0, len(x), 100)]), y)
    print(folder, found, flush=True)
    return found


def corrected(run: Path, x: Array, y: Array, images: Array) -> dict[str, float]:
    """Accuracy of code `if` with initial membranes corrected on some training images."""
    folder = run / "if-corrected"
    how = onnx2snn.Calibration(correct=("v0",))
    onnx2snn.convert(run / "model.onnx", code="if", calibrate=images, calibration=how).save(folder, force=True)
    return {f"if, membranes corrected on {len(images)} training images": in_torch(folder, x, y)}


def calibrated(run: Path, x: Array, y: Array) -> dict[str, float]:
    """Accuracy of code `if` with membranes calibrated in T steps before the T steps of each run."""
    name, folder = "if, membranes calibrated", run / "if-calibrated"
    steps = open_artifact(run / "if").manifest.steps
    onnx2snn.convert(run / "model.onnx", code="if", calibrate_steps=steps).save(folder, force=True)
    samples = run / "whole.npz"
    np.savez(samples, x=x, y=y)
    found = onnx2snn.simulate(folder, samples)
    samples.unlink()
    print(run, name, found.accuracy, found.steps, flush=True)
    assert found.accuracy is not None
    return {name: found.accuracy}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder that train made")
    parser.add_argument("--images", type=int, default=2000, help="test images")
    parser.add_argument("--tuned-on", type=int, default=1000, help="training images for fine-tuning; 0: none")
    parser.add_argument("--start", type=Path, help="the real-valued run, where it is not in the folder")
    parser.add_argument("--bits", type=int, nargs="+", default=[3, 2])
    parser.add_argument("--whole", action="store_true", help="the artifacts that are there, on all test images")
    parser.add_argument("--calibrated", action="store_true", help="with --whole: code if, membranes calibrated, alone")
    parser.add_argument("--corrected", type=int, metavar="N", help="with --whole: code if, membranes corrected, alone")
    args = parser.parse_args()
    _, record = load_run(args.runs / f"{args.bits[0]}-bit")
    test = None if record.test_data is None else Path(record.test_data)
    data = load(record.data, default_data(ROOT), split=args.runs / "split.json", size=record.size, test=test)
    if args.whole:
        x, y = arrays(data.test)
        for bits in args.bits:
            run = args.runs / f"{bits}-bit"
            if args.corrected:
                images, _ = arrays(data.train, args.corrected)
                found = corrected(run, x, y, images)
            else:
                found = (calibrated if args.calibrated else whole)(run, x, y)
            results = json.loads(RESULT.read_text())
            row = results[f"{record.data} {record.arch}"]["bits"][str(bits)]
            row["on_all_test_images"] = row.get("on_all_test_images", {}) | found
            RESULT.write_text(json.dumps(results, indent=2) + "\n")
        return
    samples = args.runs / "test.npz"
    tuning = args.runs / "tuning.npz" if args.tuned_on else None
    write_samples(samples, data.test, args.images)
    if tuning is not None:
        write_samples(tuning, data.train, args.tuned_on)
    command = f"python benchmarks/fast_snn.py {args.runs} --images {args.images} --tuned-on {args.tuned_on}"
    for bits in args.bits:
        found = measure(args.runs / f"{bits}-bit", samples, tuning)
        results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
        entry = results.setdefault(f"{record.data} {record.arch}", {"bits": {}})
        entry |= {
            "commands": [record.command, command],
            "machine": {"python": platform.python_version(), "system": platform.system()},
            "training_images": record.limit_train or len(data.train),
            "test_images": args.images,
            "tuned_on": args.tuned_on,
            "real_valued": load_run(args.start or args.runs / "32-bit")[1].test,
        }
        entry["bits"][str(bits)] = found
        RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
