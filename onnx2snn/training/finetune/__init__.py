"""Layer-wise fine-tuning of converted networks whose code is not exact."""

from onnx2snn.training.finetune.options import Criterion, LayerReport, Options, Report
from onnx2snn.training.finetune.run import FineTuned, finetune
from onnx2snn.training.finetune.score import Score

__all__ = ["Criterion", "FineTuned", "LayerReport", "Options", "Report", "Score", "finetune"]
