"""A short trainer for image classifiers: SGD with Nesterov momentum, cosine schedule, small random warps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from onnx2snn.training.data.augment import Warp


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train. `degrees`, `zoom` and `shift` bound the random warp of every training image.

    The learning rate rises linearly over the first tenth of the steps and falls to zero on half a cosine
    (Loshchilov & Hutter, "SGDR", ICLR 2017); weight decay acts on weights alone, not on steps, biases or
    batch normalisation.
    """

    epochs: int
    batch: int = 128
    rate: float = 0.1
    decay: float = 5e-4
    degrees: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    """in pixels"""
    seed: int = 42


def fit(model: nn.Module, x: np.ndarray, y: np.ndarray, recipe: Recipe, after_epoch: Callable[[int], None]) -> None:
    """Trains `model` in place on images x (N, C, H, W) in [0, 1] and classes y (N,).

    `after_epoch(epoch)` is called with the epochs done so far. Cross-entropy; the random numbers come from
    `recipe.seed`, those of the model's start from the caller.
    """
    images, labels = torch.from_numpy(x), torch.from_numpy(y)
    generator = torch.Generator().manual_seed(recipe.seed)
    warp = Warp(degrees=recipe.degrees, zoom=recipe.zoom, shift=recipe.shift)
    per_epoch = len(images) // recipe.batch
    optimiser = _optimiser(model, recipe)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _warm_cosine(recipe.epochs * per_epoch))
    for epoch in range(1, recipe.epochs + 1):
        model.train()
        order = torch.randperm(len(images), generator=generator)
        for picked in order[: per_epoch * recipe.batch].split(recipe.batch):
            loss = functional.cross_entropy(model(warp(images[picked], generator)), labels[picked])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
        after_epoch(epoch)


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.rate, momentum=0.9, nesterov=True)


def _warm_cosine(steps: int) -> Callable[[int], float]:
    warm = max(1, steps // 10)
    return lambda step: min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / steps)))


@torch.no_grad()
def predict(model: nn.Module, x: np.ndarray, batch: int = 1000) -> np.ndarray:
    """The model's outputs in evaluation mode, (N, classes) float32; leaves it in that mode."""
    model.eval()
    return torch.cat([model(part) for part in torch.from_numpy(x).split(batch)]).numpy()


def accuracy(outputs: np.ndarray, y: np.ndarray) -> float:
    """Share of rows whose largest output is at the class y."""
    return float((outputs.argmax(1) == y).mean())
