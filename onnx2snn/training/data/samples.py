"""Images as arrays: to evaluate with, and as the `.npz` files that the commands read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.flow.data import write_results
from onnx2snn.training.data.dataset import Images


def arrays(images: Images, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """x (N, C, H, W) float32 in [0, 1] and y (N,) int64 of the first `limit` images, or of all."""
    x, y = images.batch(np.arange(len(images))[:limit])
    return x.numpy(), y.numpy()


def write_samples(path: Path, images: Images, limit: int | None = None) -> None:
    """Writes `arrays(images, limit)` as x and y. Raises UsageError where a file of another kind stands in the way."""
    x, y = arrays(images, limit)
    write_results(path, x=x, y=y)
