"""Training on Lightning: the loop, its checkpoints and logs, one process or several. Needs the train extra."""

from onnx2snn.extras import need

need("training", "lightning", "torchmetrics")

from onnx2snn.training.fit.loaders import array_data  # noqa: E402
from onnx2snn.training.fit.processes import Device  # noqa: E402
from onnx2snn.training.fit.stages import Job, train  # noqa: E402
from onnx2snn.training.fit.trainer import How, fit  # noqa: E402

__all__ = ["Device", "How", "Job", "array_data", "fit", "train"]
