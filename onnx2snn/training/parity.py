"""Holds an exported file, run in ONNX Runtime, against the PyTorch model that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath

import numpy as np
import onnxruntime
from torch import nn

from onnx2snn.training.fit import accuracy, predict


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Accuracy of both on the same images, and how many predicted classes differ."""

    torch: float
    onnx: float
    differing: int
    images: int

    def __str__(self) -> str:
        return (
            f"PyTorch {self.torch:.2%}, ONNX Runtime {self.onnx:.2%}; "
            f"predictions that differ: {self.differing} of {self.images}"
        )


def compare(model: nn.Module, path: str | PathLike[str], x: np.ndarray, y: np.ndarray) -> Parity:
    """Runs `model` and the file at `path` on images x with classes y."""
    ours, theirs = predict(model, x), run_onnx(path, x)
    differing = int((ours.argmax(1) != theirs.argmax(1)).sum())
    return Parity(torch=accuracy(ours, y), onnx=accuracy(theirs, y), differing=differing, images=len(y))


def run_onnx(path: str | PathLike[str], x: np.ndarray, batch: int = 1000) -> np.ndarray:
    """Outputs for x, batch by batch, on the CPU with ONNX Runtime's default optimisations."""
    session = onnxruntime.InferenceSession(fspath(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [np.asarray(session.run(None, {name: x[i : i + batch]})[0]) for i in range(0, len(x), batch)]
    return np.concatenate(parts)
