"""Median quantisation k/B of the LeNet on MNIST: accuracy of the six settings, in ONNX Runtime.

    python benchmarks/median_mnist.py [--settings k0B1 k0B2 k0B4 k1B1 k1B2 k1B4] [--epochs 20]

writes benchmarks/results/median_mnist.json, one setting after the other; runs that were interrupted go on.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np

import onnx2snn
from onnx2snn.recipes import read_plan
from onnx2snn.training import accuracy, export_onnx, load_run, run_onnx
from onnx2snn.training.data import arrays, default_data, load
from onnx2snn.training.fit import How, Job, train

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "median_mnist.json"
RUNS = ROOT / "runs" / "median_mnist"
PUBLISHED = {"k0B1": 0.9927, "k0B2": 0.9932, "k0B4": 0.9943, "k1B1": 0.9930, "k1B2": 0.9937, "k1B4": 0.9950}
SEED = 0


def measure(setting: str, epochs: int) -> dict[str, Any]:
    """Trains one setting, exports it, and tests the file."""
    k, bound = int(setting[1]), int(setting[3])
    folder = RUNS / setting
    job = Job(
        plan=read_plan("median-mnist"),
        arch="lenet",
        data="mnist",
        data_dir=default_data(ROOT),
        scheme="median",
        bits=(2,),
        options={"k": k, "bound": bound},
        changes={"epochs": epochs, "batch": 64, "rate": 2e-3, "schedule": "cosine", "warmup": 0.05},
        out=folder,
        seed=SEED,
        resume=folder.exists(),
    )
    (run,) = train(job, How(after_epoch=lambda run: print(setting, run.epochs, run.validation, flush=True)))
    network, _ = load_run(folder)
    model = folder / "model.onnx"
    x, y = arrays(load("mnist", default_data(ROOT), split=folder / "split.json").test)
    parity = export_onnx(network, run.shape, model, samples=x)
    reached = accuracy(run_onnx(model, x), y)
    certificate = onnx2snn.convert(model).certificate
    print(setting, reached, PUBLISHED[setting], flush=True)
    return {
        "levels": 2**k * bound,
        "test": reached,
        "published": PUBLISHED[setting],
        "difference_in_images": round((reached - PUBLISHED[setting]) * len(x)),
        "parity": str(parity),
        "proven": f"{certificate.proven} of {certificate.breakpoints} breakpoints",
        "training": run.model_dump(mode="json", include={"validation", "epochs", "best_epoch", "seconds", "recipe"}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--settings", nargs="+", choices=list(PUBLISHED), default=list(PUBLISHED))
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    for setting in args.settings:
        found = measure(setting, args.epochs)
        results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"settings": {}}
        results |= {
            "command": f"python benchmarks/median_mnist.py --epochs {args.epochs}",
            "machine": {"python": platform.python_version(), "system": platform.system(), "numpy": np.__version__},
            "seed": SEED,
        }
        results["settings"][setting] = found
        RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
