"""Calibration of float networks: accuracy against steps, with and without corrections.

    python benchmarks/calibration.py --train            # trains on MNIST and Fashion-MNIST, a few minutes
    python benchmarks/calibration.py --data-set mnist --spikingjelly PYTHON

writes benchmarks/results/calibration.json, one data set a call. Code `if` runs T steps with T levels; `st-bif` runs as
many inject steps as levels and then until it is silent. PYTHON is an interpreter with torch and spikingjelly.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import onnx2snn
from onnx2snn.analysis.calibration import METHODS, Method
from onnx2snn.flow.calibrate import Calibration
from onnx2snn.frontends.onnx import OnnxRuntime
from onnx2snn.training.data import default_data, load_images

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "calibration.json"
RUNS = ROOT / "runs" / "calibration"
SETS = ("mnist", "fashion_mnist")
TIMES = (4, 8, 16, 32, 64)
LEVELS = (4, 8, 16, 32)
SEED, CALIBRATION = 0, 256
Array = np.ndarray[Any, np.dtype[Any]]


def train(name: str, epochs: int) -> None:
    """Trains and exports the float network."""
    import torch
    from calibration_net import network

    from onnx2snn.training.fit import Recipe, accuracy, fit, predict

    torch.manual_seed(SEED)
    folder = RUNS / name
    folder.mkdir(parents=True, exist_ok=True)
    images, test = (load_images(default_data(ROOT) / name, part) for part in ("train", "t10k"))
    model = network()
    start = time.perf_counter()
    fit(model, images.x, images.y, Recipe(epochs=epochs, seed=SEED), lambda epoch: print(name, "epoch", epoch))
    print(name, "test accuracy", accuracy(predict(model, test.x), test.y), f"{time.perf_counter() - start:.0f} s")
    torch.save(model.state_dict(), folder / "weights.pt")
    model.eval()
    example = (torch.zeros(2, 1, 28, 28),)
    torch.onnx.export(
        model, example, str(folder / "model.onnx"), dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "N"}}
    )


def right(output: Array, y: Array) -> float:
    """Share of samples whose largest output is the label's."""
    return float((output.argmax(axis=1) == y).mean())


@dataclass(frozen=True)
class Choice:
    """One conversion to measure. For code `if`, levels are the inject steps as well."""

    code: str
    levels: int
    method: Method
    correct: str = ""
    per_channel: bool = False
    before: int = 0  #: steps that set initial membranes
    whole: bool = False  #: input and weights in whole numbers

    @property
    def calibration(self) -> Calibration:
        """The options of the conversion."""
        return Calibration(
            self.method,
            levels=self.levels,
            per_channel=self.per_channel,
            correct=tuple(self.correct.split(",")) if self.correct else (),
            input_levels=255 if self.whole else 0,
            weight_bits=8 if self.whole else 0,
        )


def choices() -> list[Choice]:
    """All that is measured; what takes longest with fewer steps and for one method only."""
    found = [Choice("if", TIMES[-1], "mse")]
    for method in METHODS:
        found += [Choice("if", steps, method, correct) for correct in ("", "bias") for steps in LEVELS]
        found += [Choice("st-bif", levels, method) for levels in LEVELS]
    found += [Choice("st-bif", levels, "mse", "bias") for levels in LEVELS]
    found += [Choice("st-bif", levels, "mse", whole=True) for levels in LEVELS]
    found += [Choice("if", steps, "mse", before=4) for steps in LEVELS]
    found += [Choice("if", steps, "mse", "bias", before=4) for steps in LEVELS[:3]]
    found += [Choice("if", steps, "mse", before=8) for steps in LEVELS[:2]]
    found += [Choice("if", steps, "mse", correct) for correct in ("v0", "bias,v0") for steps in LEVELS[:3]]
    found += [Choice(code, levels, "mse", per_channel=True) for code in ("if", "st-bif") for levels in LEVELS[:3]]
    found += [Choice("if", steps, "max", "theta") for steps in LEVELS[:2]]
    return found


def row(model: Path, choice: Choice, given: Array, x: Array, y: Array) -> dict[str, Any]:
    """Accuracy, steps and spikes of one conversion; `steps` is the whole latency."""
    start = time.perf_counter()
    conversion = onnx2snn.convert(
        model, code=choice.code, calibrate_steps=choice.before, calibrate=given, calibration=choice.calibration
    )
    network = conversion.network
    ready = time.perf_counter()
    run = conversion.simulate(x)
    return asdict(choice) | {
        "arithmetic": "integer" if network.integer else "float",
        "proven": network.certificate.exact,
        "accuracy": right(run.output, y),
        "steps": run.steps,
        "spikes_per_sample": sum(run.spikes.values()) / len(x),
        "seconds_convert": round(ready - start, 1),
        "seconds_run": round(time.perf_counter() - ready, 1),
    }


def spikingjelly(python: str, name: str, given: Array, x: Array, y: Array) -> dict[str, Any]:
    """What the other converter makes of the same network, calibration samples and images."""
    images = RUNS / name / "images.npz"
    np.savez(images, calibration=given, x=x, y=y)
    script = Path(__file__).parent / "calibration_spikingjelly.py"
    times = ",".join(map(str, TIMES))
    words = [python, str(script), str(RUNS / name / "weights.pt"), str(images), times]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(name: str, count: int, python: str | None) -> dict[str, Any]:
    """All rows of one data set, on the first `count` test images."""
    data, model = default_data(ROOT) / name, RUNS / name / "model.onnx"
    test, given = load_images(data, "t10k"), load_images(data, "train").split(CALIBRATION, SEED)[1].x
    x, y = test.x[:count], test.y[:count]
    ann = OnnxRuntime(model)
    full = np.concatenate([ann.run(test.x[i : i + 500])[ann.output] for i in range(0, len(test), 500)])
    rows: list[dict[str, Any]] = []
    for choice in choices():
        rows.append(row(model, choice, given, x, y))
        print(f"{name}: {choice}: {rows[-1]['accuracy']:.4f} after {rows[-1]['steps']} steps", flush=True)
    return {
        "ann_accuracy": right(full[:count], y),
        "ann_accuracy_all_images": right(full, test.y),
        "images": count,
        "calibration_images": len(given),
        "rows": rows,
        "spikingjelly": None if python is None else spikingjelly(python, name, given, x, y),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="train and export instead of measuring")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--data-set", choices=SETS, default=None, help="one of them instead of both")
    parser.add_argument("--images", type=int, default=1000, help="test images of the sweep, from the first on")
    parser.add_argument("--spikingjelly", metavar="PYTHON", default=None)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    for name in [options.data_set] if options.data_set else SETS:
        if options.train:
            train(name, options.epochs)
            continue
        start = time.perf_counter()
        found = measure(name, options.images, options.spikingjelly)
        found["seconds"] = round(time.perf_counter() - start, 1)
        known = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
        known |= {
            "command": " ".join(["python benchmarks/calibration.py", *sys.argv[1:]]),
            "seed": SEED,
            "epochs": options.epochs,
            "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
            name: found,
        }
        options.out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
