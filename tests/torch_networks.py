"""The test models as networks of the torch backend, converted once each."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import models
import numpy as np
import torch

from onnx2snn.artifact import Network
from onnx2snn.backends.torch import TorchBackend
from onnx2snn.flow.conversion.convert import convert

torch.set_num_threads(1)  # tests run beside each other

MODELS = {"lenet": models.lenet, "residual": models.residual}
CODES = TorchBackend.codes
SILENT = ("store-and-forward", "ladder")  #: codes that are run until they are silent, or have no answer


@cache
def network(name: str, code: str = "st-bif", integer: bool = True, settle: int | None = None) -> Network:
    """A test model by name; settle None: until it is silent, as code ladder is at once."""
    with tempfile.TemporaryDirectory() as folder:
        path = MODELS[name](Path(folder) / f"{name}.onnx")
        wanted = "auto" if settle is None or code == "ladder" else settle
        return convert(path, code=code, integer=integer, settle=wanted).lower(TorchBackend())


def samples(made: Network, count: int = 5) -> np.ndarray:
    """Random input of the network's shape, the same each time."""
    return np.random.default_rng(3).random((count, *made.input_shape))
