"""Rate Norm Layer on MNIST: accuracy and Omega before and after stage 2, and steps to 99 % of the ANN's accuracy.

    python benchmarks/rnl_mnist.py [--epochs 6] [--images 2000]

trains the three-layer CNN with rate norm layers (stage 1), tunes its thresholds by the rate inference loss (stage 2),
and trains the same network with ReLU, whose thresholds are then the largest value or the 99.9 % quantile that 1,000
training images give. Each network runs with code `if` for T steps, T = 1 ... 256, on the first test images, with
v0 = theta / 2, and the rate norm networks with v0 = 0 as well, as their authors have it. Writes
benchmarks/results/rnl_mnist.json; runs that were interrupted go on.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import onnx2snn
from onnx2snn.flow.conversion.calibration import Calibration
from onnx2snn.recipes import read_plan
from onnx2snn.training import accuracy, export_onnx, load_run, run_onnx
from onnx2snn.training.data import arrays, default_data, load
from onnx2snn.training.fit import How, Job, train
from onnx2snn.training.runs import Run

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "rnl_mnist.json"
RUNS = ROOT / "runs" / "rnl_mnist"
STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SEED, CALIBRATION = 0, 1000
Array = np.ndarray[Any, np.dtype[Any]]


def trained(name: str, recipe: str, scheme: str, changes: dict[str, object], init: Path | None = None) -> Path:
    """The run folder of one network."""
    job = Job(
        plan=read_plan(recipe),
        arch="rnl-cnn",
        data="mnist",
        data_dir=default_data(ROOT),
        scheme=scheme,
        bits=(32,),
        out=RUNS / name,
        changes=changes,
        init=init,
        seed=SEED,
        resume=(RUNS / name).exists(),
    )
    (run,) = train(job, How(after_epoch=lambda run: print(name, run.epochs, run.validation, run.omega, flush=True)))
    print(name, run.test, run.omega, f"{run.seconds:.0f} s", flush=True)
    return job.out


def curve(convert: Callable[[int], onnx2snn.Conversion], x: Array, y: Array) -> dict[int, float]:
    """Accuracy after T steps."""
    found: dict[int, float] = {}
    for steps in STEPS:
        output = np.concatenate([convert(steps).simulate(x[i : i + 250]).output for i in range(0, len(x), 250)])
        found[steps] = accuracy(output, y)
    return found


def rates(folder: Path, v0: float) -> Callable[[int], onnx2snn.Conversion]:
    """The conversion of a rate norm network to T steps."""
    network, run = load_run(folder)

    def convert(steps: int) -> onnx2snn.Conversion:
        path = folder / f"T{steps}-{v0}.onnx"
        export_onnx(network, run.shape, path, levels=steps, v0=v0)
        return onnx2snn.convert(path, code="if")

    return convert


def calibrated(path: Path, method: Any, samples: Array) -> Callable[[int], onnx2snn.Conversion]:
    """The conversion of the ReLU network to T steps, thresholds from samples."""
    return lambda steps: onnx2snn.convert(
        path, code="if", calibrate=samples, calibration=Calibration(method=method, levels=steps)
    )


def record(run: Run) -> dict[str, Any]:
    """What a run reached, and by what."""
    return run.model_dump(include={"validation", "test", "omega", "at_start", "epochs", "seconds", "recipe"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--images", type=int, default=2000, help="test images that the spiking networks see")
    args = parser.parse_args()
    budget = {"epochs": args.epochs, "batch": 64, "rate": 0.05, "decay": 5e-4, "warmup": 0.1}
    relu = trained("relu", "standard", "float", {**budget, "schedule": "cosine"})
    one = trained("stage1", "rnl-stage1", "rate-norm", {**budget, "schedule": "cosine", "decay_on": "weights"})
    two = trained("stage2", "rnl-stage2", "rate-norm", {"epochs": 2, "batch": 64}, init=one)

    data = load("mnist", default_data(ROOT), seed=SEED)
    x, y = arrays(data.test, args.images)
    samples, _ = arrays(data.train, CALIBRATION)
    network, run = load_run(relu)
    path = relu / "model.onnx"
    export_onnx(network, run.shape, path, samples=x[:200])
    curves = {
        "max, v0 = theta/2": curve(calibrated(path, "max", samples), x, y),
        "percentile 99.9, v0 = theta/2": curve(calibrated(path, "percentile", samples), x, y),
    }
    for name, folder in (("stage 1", one), ("stage 2", two)):
        for v0 in (0.0, 0.5):
            curves[f"rate norm {name}, v0 = {'theta/2' if v0 else '0'}"] = curve(rates(folder, v0), x, y)
    ann = accuracy(run_onnx(path, x), y)
    folders = {"relu": relu, "stage1": one, "stage2": two}
    result = {
        "command": f"python benchmarks/rnl_mnist.py --epochs {args.epochs} --images {args.images}",
        "machine": {"python": platform.python_version(), "system": platform.system()},
        "seed": SEED,
        "test_images": len(x),
        "networks": {name: record(load_run(folder)[1]) for name, folder in folders.items()},
        "ann_on_these_images": ann,
        "accuracy": curves,
        "steps_to_99_percent_of_the_ann": {
            name: next((steps for steps, reached in found.items() if reached >= 0.99 * ann), None)
            for name, found in curves.items()
        },
    }
    RESULT.write_text(json.dumps(result, indent=2, default=lambda model: model.model_dump()) + "\n")
    print(json.dumps(result["steps_to_99_percent_of_the_ann"], indent=2))


if __name__ == "__main__":
    main()
