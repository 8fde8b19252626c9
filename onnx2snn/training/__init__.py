"""Training of networks that convert exactly: quantisers, layers, trainer, export. Needs the torch extra."""

from onnx2snn.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "onnx2snn.training needs PyTorch: pip install 'onnx2snn[torch]' (import torch failed)"
    ) from error

from onnx2snn.training.export import ExportError, export_onnx
from onnx2snn.training.fit import Recipe, accuracy, fit, predict
from onnx2snn.training.modules import QuantConv2d, QuantLinear
from onnx2snn.training.parity import Parity, compare, run_onnx
from onnx2snn.training.quantisers import InputQuantiser, LearnedStepActivation, LearnedStepWeight

__all__ = [
    "ExportError",
    "InputQuantiser",
    "LearnedStepActivation",
    "LearnedStepWeight",
    "Parity",
    "QuantConv2d",
    "QuantLinear",
    "Recipe",
    "accuracy",
    "compare",
    "export_onnx",
    "fit",
    "predict",
    "run_onnx",
]
