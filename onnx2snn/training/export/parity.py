"""Holds an exported file, run by ONNX Runtime, against the PyTorch model that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import nn

from onnx2snn.frontends.onnx import executor

BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Samples whose predicted class differs, and the largest difference of an output.

    runner: what ran the file: ONNX Runtime, or onnx.reference for ops that it does not have.
    """

    runner: str
    differing: int
    images: int
    largest: float

    def __str__(self) -> str:
        return (
            f"{self.runner} and PyTorch predict another class for {self.differing} of {self.images} samples; "
            f"largest difference of an output {self.largest:.3g}"
        )


def compare(model: nn.Module, path: str | PathLike[str], x: np.ndarray) -> Parity:
    """Runs `model`, in evaluation mode, and the file at `path` on samples x (N, ...), float32."""
    run = executor(Path(path))
    training = model.training
    model.eval()
    differing, largest = 0, 0.0
    with torch.no_grad():
        for start in range(0, len(x), BATCH):
            part = np.ascontiguousarray(x[start : start + BATCH], np.float32)
            ours, theirs = model(torch.from_numpy(part)).cpu().numpy(), run.run(part)[run.output]
            differing += int((ours.argmax(1) != theirs.argmax(1)).sum())
            largest = max(largest, float(np.abs(ours - theirs).max(initial=0.0)))
    model.train(training)
    return Parity(runner=run.name, differing=differing, images=len(x), largest=largest)


def run_onnx(path: str | PathLike[str], x: np.ndarray) -> np.ndarray:
    """Outputs of the file for samples x, batch by batch."""
    run = executor(Path(path))
    return np.concatenate([run.run(x[start : start + BATCH])[run.output] for start in range(0, len(x), BATCH)])
