"""Training of networks that convert exactly: quantisers, layers, networks, runs, export. Needs the train extra.

`onnx2snn.training.fit` trains them, on Lightning.
"""

from onnx2snn.extras import need

need("onnx2snn.training", "torch", extra="train")

from onnx2snn.recipes import Recipe  # noqa: E402
from onnx2snn.training.evaluate import accuracy, predict  # noqa: E402
from onnx2snn.training.export import ExportError, Parity, compare, export_onnx, run_onnx  # noqa: E402
from onnx2snn.training.layers import QuantConv2d, QuantLinear  # noqa: E402
from onnx2snn.training.quantisers import InputQuantiser, LearnedStepActivation, LearnedStepWeight  # noqa: E402
from onnx2snn.training.runs import Run, load_run  # noqa: E402
from onnx2snn.training.scheme import Scheme, scheme  # noqa: E402
from onnx2snn.training.starting import start_from  # noqa: E402
from onnx2snn.training.zoo import ARCHITECTURES, build  # noqa: E402

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
