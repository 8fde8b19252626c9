"""Training on Lightning: the loop, its checkpoints and logs, one process or several. Needs the train extra."""

from onnx2snn.errors import MissingExtraError

try:
    import lightning as _lightning  # noqa: F401
    import torchmetrics as _torchmetrics  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError(
        f"training needs Lightning and torchmetrics: pip install 'onnx2snn[train]' (import {error.name} failed)"
    ) from error

from onnx2snn.training.fit.loaders import array_data
from onnx2snn.training.fit.processes import Device
from onnx2snn.training.fit.stages import Job, train
from onnx2snn.training.fit.trainer import How, fit

__all__ = ["Device", "How", "Job", "array_data", "fit", "train"]
