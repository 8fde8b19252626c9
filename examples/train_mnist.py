"""Trains a LeNet-like network on MNIST with 4-bit weights and activations and writes it as QCDQ ONNX.

    python examples/train_mnist.py [--data DIR] [--out runs/mnist] [--epochs 20] [--seed 42] [--pool max]

The input is quantised at 8 bits with scale 1/255, so it loses nothing. 5,000 of the 60,000 training images
are held out: the weights that are best on them are kept. The test images are used once, at the end. The folder is a
run (run.json, network.safetensors, log/) with model.onnx and test.npz (x, y) beside; called again, it goes on where it
stopped.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
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
    Run,
    export_onnx,
)
from onnx2snn.training.data import arrays, default_data, load, write_samples
from onnx2snn.training.fit import How, fit

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


def report(run: Run) -> None:
    """A line for every epoch."""
    print(f"epoch {run.epochs:3}  best validation so far {run.validation:.2%}  {run.seconds:.0f} s", flush=True)


def main() -> None:
    args = arguments()
    torch.manual_seed(args.seed)
    model = build(args.pool)
    data = load("mnist", args.data, seed=args.seed, held_out=5000, split=args.out / "split.json")
    recipe = Recipe(epochs=args.epochs, batch=128, rate=0.1, decay=5e-4, warmup=0.1)
    run = fit(model, data, recipe, args.out, seed=args.seed, resume=True, how=How(after_epoch=report))
    print(f"test accuracy {run.test:.2%}")

    print(export_onnx(model, data.shape, args.out / "model.onnx", samples=arrays(data.test)[0]))
    write_samples(args.out / "test.npz", data.test)


if __name__ == "__main__":
    main()
