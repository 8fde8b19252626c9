"""Trains the small demo network on scikit-learn's digits (8x8, 17 grey levels) and writes it as QCDQ ONNX.

    python examples/train_digits.py [--out onnx2snn/demo] [--run runs/digits] [--epochs 40] [--seed 42]

Weights and activations have 4 bits, the input has the 17 levels of the data (scale 1/16, codes 0..16). The
1,797 images are split, by class and seeded: 1,200 to train, 237 to watch and 360 to test once, at the end.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
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
from onnx2snn.training.data import Warp
from onnx2snn.training.fit import How, array_data, fit

ROOT = Path(__file__).resolve().parents[1]


def build() -> nn.Sequential:
    """Two convolutions, average pooling, two linear layers: only ops that every backend can take."""
    return nn.Sequential(
        OrderedDict(
            input=InputQuantiser(1 / 16, bits=5, hi=16),
            conv1=QuantConv2d(1, 8, 3, padding=1, bias=False, quantiser=LearnedStepWeight(4, 8)),
            bn1=nn.BatchNorm2d(8),
            act1=LearnedStepActivation(4),
            conv2=QuantConv2d(8, 16, 3, stride=2, padding=1, bias=False, quantiser=LearnedStepWeight(4, 16)),
            bn2=nn.BatchNorm2d(16),
            act2=LearnedStepActivation(4),
            pool=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            fc1=QuantLinear(64, 32, bias=False, quantiser=LearnedStepWeight(4, 32)),
            bn3=nn.BatchNorm1d(32),
            act3=LearnedStepActivation(4),
            fc2=QuantLinear(32, 10, quantiser=LearnedStepWeight(4, 10)),
        )
    )


Part = tuple[np.ndarray, np.ndarray]


def digits(seed: int) -> tuple[Part, Part, Part]:
    """(x, y) of the training, validation and test images; x (N, 1, 8, 8) float32 in [0, 1], y int64."""
    pixels, labels = load_digits(return_X_y=True)
    x = (np.asarray(pixels) / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    y = np.asarray(labels).astype(np.int64)
    rest, test = train_test_split(np.arange(len(x)), test_size=360, random_state=seed, stratify=y)
    train, watch = train_test_split(rest, test_size=237, random_state=seed, stratify=y[rest])
    return (x[train], y[train]), (x[watch], y[watch]), (x[test], y[test])


def report(run: Run) -> None:
    """A line for every fifth epoch."""
    if run.epochs % 5 == 0:
        print(f"epoch {run.epochs:3}  best validation so far {run.validation:.2%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "onnx2snn" / "demo")
    parser.add_argument("--run", type=Path, default=ROOT / "runs" / "digits", help="goes on where one stopped")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    model = build()
    classes = [str(digit) for digit in range(10)]
    data = array_data("digits", *digits(args.seed), classes=classes, augment=Warp(shift=0.5, degrees=8, zoom=0.08))
    recipe = Recipe(epochs=args.epochs, batch=32, rate=0.05, warmup=0.1)
    run = fit(model, data, recipe, args.run, seed=args.seed, resume=True, how=How(after_epoch=report))
    print(f"trained in {run.seconds:.1f} s; test accuracy {run.test:.2%}")

    x, y = digits(args.seed)[2]
    print(export_onnx(model, (1, 8, 8), args.out / "digits.onnx", samples=x))
    np.savez_compressed(args.out / "digits.npz", x=x, y=y)


if __name__ == "__main__":
    main()
