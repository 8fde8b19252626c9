"""A data set and a network that train in a second, also as a script under torchrun: small_training.py FOLDER."""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from onnx2snn.recipes import Recipe
from onnx2snn.training import InputQuantiser, LearnedStepActivation, LearnedStepWeight, QuantLinear
from onnx2snn.training.fit import How, array_data, fit
from onnx2snn.training.fit.loaders import ArrayData

SHAPE = (1, 4, 4)
CLASSES = 3


def data(train: int = 96, augment: Any = None) -> ArrayData:
    """Images whose brightest quarter says the class, with noise: `train`, 32 and 33 of them."""
    parts = (_images(count, seed) for seed, count in enumerate((train, 32, 33)))
    return array_data("quarters", *parts, classes="abc", augment=augment)


def _images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 180, (count, *SHAPE)), rng.integers(0, CLASSES, count)
    for image, label in zip(x, y, strict=True):
        top, left = 2 * (label // 2), 2 * (label % 2)
        image[0, top : top + 2, left : left + 2] += 75
    return x / 255, y


def network(bits: int = 4, norm: bool = True, width: int = 12) -> nn.Sequential:
    """Two linear layers; `bits` 32 is the real-valued network with the same names."""
    torch.manual_seed(1)
    real = bits == 32

    def linear(inputs: int, outputs: int) -> QuantLinear:
        return QuantLinear(inputs, outputs, quantiser=None if real else LearnedStepWeight(bits, outputs))

    return nn.Sequential(
        OrderedDict(
            input=InputQuantiser(1 / 255),
            flatten=nn.Flatten(),
            fc1=linear(16, width),
            **({"bn1": nn.BatchNorm1d(width)} if norm else {}),
            act1=nn.ReLU() if real else LearnedStepActivation(bits),
            fc2=linear(width, CLASSES),
        )
    )


def recipe(**values: Any) -> Recipe:
    """Three epochs of batches of 32."""
    return Recipe(**({"epochs": 3, "batch": 32, "rate": 0.05, "decay": 1e-4} | values))


def noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """An augmentation."""
    return images + 0.02 * torch.rand(images.shape, generator=generator)


def losses(folder: Path) -> list[float]:
    """The loss of every step, as logged."""
    rows = [line.split(",") for path in sorted(folder.glob("log/*/metrics.csv")) for line in path.read_text().split()]
    column = rows[0].index("loss_step")
    return [float(row[column]) for row in rows if row[column] not in ("", "loss_step")]


if __name__ == "__main__":
    torch.set_num_threads(1)
    fit(network(norm=False), data(), recipe(), Path(sys.argv[1]), how=How(device="cpu"))
