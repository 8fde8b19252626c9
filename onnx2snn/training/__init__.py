"""Training of networks that convert exactly: quantisers, layers, networks, runs, export. Needs the train extra.

`onnx2snn.training.fit` trains them, on Lightning.
"""

from onnx2snn.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "onnx2snn.training needs PyTorch: pip install 'onnx2snn[train]' (import torch failed)"
    ) from error

from onnx2snn.training.evaluate import accuracy, predict
from onnx2snn.training.export import ExportError, Parity, compare, export_onnx, run_onnx
from onnx2snn.training.layers import QuantConv2d, QuantLinear
from onnx2snn.training.quantisers import InputQuantiser, LearnedStepActivation, LearnedStepWeight
from onnx2snn.training.recipes import Recipe
from onnx2snn.training.runs import Run, load_run
from onnx2snn.training.scheme import Scheme, scheme
from onnx2snn.training.starting import start_from
from onnx2snn.training.zoo import ARCHITECTURES, build

__all__ = [
    "ARCHITECTURES",
    "ExportError",
    "InputQuantiser",
    "LearnedStepActivation",
    "LearnedStepWeight",
    "Parity",
    "QuantConv2d",
    "QuantLinear",
    "Recipe",
    "Run",
    "Scheme",
    "accuracy",
    "build",
    "compare",
    "export_onnx",
    "load_run",
    "predict",
    "run_onnx",
    "scheme",
    "start_from",
]
