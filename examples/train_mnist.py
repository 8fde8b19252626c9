"""Trains a LeNet-like network on MNIST with 4-bit weights and activations and writes it as QCDQ ONNX.

    python examples/train_mnist.py [--data DIR] [--out runs/mnist] [--epochs 20] [--seed 42] [--pool max]

The input is quantised at 8 bits with scale 1/255, so it loses nothing. 5,000 of the 60,000 training images
are held out to watch, and to choose by when you change something; the test images are used once, at the end.
Writes model.onnx, test.npz (x, y) and training.json.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from onnx2snn.training import (
    InputQuantiser,
    LearnedStepActivation,
    LearnedStepWeight,
    QuantConv2d,
    QuantLinear,
    Recipe,
    accuracy,
    compare,
    export_onnx,
    fit,
    predict,
    run_onnx,
)
from onnx2snn.training.data import arrays, default_data, load, write_samples

ROOT = Path(__file__).resolve().parents[1]
POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


def build(pool: str) -> nn.Sequential:
    """conv 16 - pool - conv 32 - average pool - 120 - 10, every weight and activation with 4 bits."""
    return nn.Sequential(
        OrderedDict(
            input=InputQuantiser(1 / 255, bits=8),
            conv1=QuantConv2d(1, 16, 5, padding=2, bias=False, quantiser=LearnedStepWeight(4, 16)),
            bn1=nn.BatchNorm2d(16),
            act1=LearnedStepActivation(4),
            pool1=POOLS[pool](2),
            conv2=QuantConv2d(16, 32, 5, bias=False, quantiser=LearnedStepWeight(4, 32)),
            bn2=nn.BatchNorm2d(32),
            act2=LearnedStepActivation(4),
            pool2=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            fc1=QuantLinear(32 * 5 * 5, 120, bias=False, quantiser=LearnedStepWeight(4, 120)),
            bn3=nn.BatchNorm1d(120),
            act3=LearnedStepActivation(4),
            fc2=QuantLinear(120, 10, quantiser=LearnedStepWeight(4, 10)),
        )
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data(ROOT), help="folder that holds mnist/")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "mnist")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--pool", choices=sorted(POOLS), default="max", help="kind of the first pool")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.manual_seed(args.seed)
    data = load("mnist", args.data, seed=args.seed, held_out=5000)
    watch_x, watch_y = arrays(data.validation)
    model = build(args.pool)
    recipe = Recipe(epochs=args.epochs, degrees=10, zoom=0.1, shift=2, seed=args.seed)
    started = time.perf_counter()

    def report(epoch: int) -> None:
        right = accuracy(predict(model, watch_x), watch_y)
        print(f"epoch {epoch:3}  validation {right:.2%}  {time.perf_counter() - started:.0f} s", flush=True)

    fit(model, *arrays(data.train), recipe, report)
    seconds = time.perf_counter() - started

    path = args.out / "model.onnx"
    export_onnx(model, (1, 28, 28), path)
    write_samples(args.out / "test.npz", data.test)
    test_x, test_y = arrays(data.test)
    parity, right = compare(model, path, test_x), accuracy(predict(model, test_x), test_y)
    print(f"test accuracy  {right:.2%}; {parity}")
    record = {
        "accuracy": {
            "validation": accuracy(predict(model, watch_x), watch_y),
            "test_torch": right,
            "test_onnx": accuracy(run_onnx(path, test_x), test_y),
        },
        "predictions_that_differ": parity.differing,
        "recipe": asdict(recipe),
        "pool": args.pool,
        "seconds": round(seconds, 1),
        "command": shlex.join(["python", *sys.argv]),
    }
    (args.out / "training.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
