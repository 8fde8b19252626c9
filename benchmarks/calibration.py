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
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import onnx2snn
from onnx2snn.analysis.calibration import METHODS, Method
from onnx2snn.flow.conversion.calibration import Calibration
from onnx2snn.frontends.onnx import OnnxRuntime
from onnx2snn.training import accuracy
from onnx2snn.training.data import arrays, default_data, load

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "calibration.json"
RUNS = ROOT / "runs" / "calibration"
SETS = ("mnist", "fashion_mnist")
TIMES, LONG, LEVELS = (4, 8, 16), (32, 64), (4, 8, 16)
SEED, EPOCHS, CALIBRATION = 0, 3, 256
Array = np.ndarray[Any, np.dtype[Any]]


def train(name: str) -> None:
    """Trains and exports the float network."""
    import torch
    from calibration_net import network

    from onnx2snn.training import Recipe
    from onnx2snn.training.fit import How, fit

    torch.manual_seed(SEED)
    folder = RUNS / name
    folder.mkdir(parents=True, exist_ok=True)
    data = load(name.replace("_", "-"), default_data(ROOT), seed=SEED)
    model = network()
    recipe = Recipe(epochs=EPOCHS, warmup=0.1, augment=False)
    how = How(after_epoch=lambda run: print(name, "epoch", run.epochs))
    run = fit(model, data, recipe, folder, seed=SEED, resume=True, how=how)
    print(name, "test accuracy", run.test, f"{run.seconds:.0f} s")
    torch.save(model.state_dict(), folder / "weights.pt")
    model.eval()
    example = (torch.zeros(2, 1, 28, 28),)
    torch.onnx.export(
        model, example, str(folder / "model.onnx"), dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "N"}}
    )


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


def choices(name: str) -> list[Choice]:
    """All that is measured. MNIST is nearly solved at four steps and gets a part of it."""
    brief = name == "mnist"
    times, levels = (TIMES[:2], LEVELS[:2]) if brief else (TIMES, LEVELS)
    found = [Choice("if", steps, method) for method in METHODS for steps in times]
    found += [Choice("if", steps, "mse", "bias") for steps in times]
    found += [Choice("if", steps, "mse", before=4) for steps in times]
    found += [Choice("st-bif", steps, method) for method in METHODS for steps in levels]
    found += [Choice("st-bif", steps, "mse", whole=True) for steps in levels]
    if brief:
        return found
    found += [Choice("st-bif", steps, "mse", "bias") for steps in levels]
    found += [Choice("if", steps, "max", "bias") for steps in times]
    found += [Choice("if", steps, "mse", "bias", before=4) for steps in times[:2]]
    found += [Choice("if", steps, "mse", "v0") for steps in times[:2]]
    found += [Choice("if", steps, "mse", "bias,v0") for steps in times[:2]]
    found += [Choice("if", steps, "mse", per_channel=True) for steps in times[:3]]
    found += [Choice("st-bif", steps, "mse", per_channel=True) for steps in levels[:2]]
    found += [Choice("if", steps, "max", "theta") for steps in times[:1]]
    found += [Choice("if", steps, "mse", before=8) for steps in times[:1]]
    found += [Choice("if", steps, "mse") for steps in LONG]
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
        "proven": network.certificate.proven_as_staircases,  # with the weights as rounded
        "accuracy": accuracy(run.output, y),
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
    times = ",".join(map(str, (*TIMES, *LONG)))
    words = [python, str(script), str(RUNS / name / "weights.pt"), str(images), times]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(name: str, count: int, python: str | None, out: Path) -> None:
    """All rows of one data set, on the first `count` test images; written as they come, and not measured twice."""
    data = load("mnist", default_data(ROOT) / name, seed=SEED, held_out=CALIBRATION)
    model = RUNS / name / "model.onnx"
    (test_x, test_y), (given, _) = arrays(data.test), arrays(data.validation)
    x, y = test_x[:count], test_y[:count]
    ann = OnnxRuntime(model)
    full = np.concatenate([ann.run(test_x[i : i + 500])[ann.output] for i in range(0, len(test_x), 500)])
    known = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    known |= {"seed": SEED, "epochs": EPOCHS, "machine": f"{platform.machine()}, Python {platform.python_version()}"}
    found = known.setdefault(name, {"images": count, "rows": []})
    found |= {
        "command": " ".join(["python benchmarks/calibration.py", "--data-set", name, "--images", str(count)]),
        "ann_accuracy": accuracy(full[:count], y),
        "ann_accuracy_all_images": accuracy(full, test_y),
        "calibration_images": len(given),
    }
    if python is not None and "spikingjelly" not in found:
        found["spikingjelly"] = spikingjelly(python, name, given, x, y)
    for choice in choices(name):
        if not any(asdict(choice).items() <= one.items() for one in found["rows"]):
            found["rows"].append(row(model, choice, given, x, y))
            out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
            print(f"{name}: {found['rows'][-1]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="train and export instead of measuring")
    parser.add_argument("--data-set", choices=SETS, default=None, help="one of them instead of both")
    parser.add_argument("--images", type=int, default=500, help="test images of the sweep, from the first on")
    parser.add_argument("--spikingjelly", metavar="PYTHON", default=None)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    for name in [options.data_set] if options.data_set else SETS:
        if options.train:
            train(name)
        else:
            measure(name, options.images, options.spikingjelly, options.out)


if __name__ == "__main__":
    main()
