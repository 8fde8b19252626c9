"""What a network answers, and how often it is right."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


@torch.no_grad()
def predict(model: nn.Module, x: np.ndarray, batch: int = 1000) -> np.ndarray:
    """The model's outputs in evaluation mode, (N, classes) float32; leaves it in that mode."""
    model.eval()
    return torch.cat([model(part) for part in torch.from_numpy(x).split(batch)]).numpy()


def accuracy(outputs: np.ndarray, y: np.ndarray) -> float:
    """Share of rows whose largest output is at the class y."""
    return float((outputs.argmax(1) == y).mean())
