"""Quantisers, one method a file. Every one gives n * step with whole n, rounded as the exported file rounds."""

from onnx2snn.training.quantisers.base import ActivationQuantiser, Quantiser, WeightQuantiser
from onnx2snn.training.quantisers.clipped import ClippedActivation
from onnx2snn.training.quantisers.fast_snn import LearnedClipActivation, NormalisedWeight, apot_levels
from onnx2snn.training.quantisers.inputs import InputQuantiser
from onnx2snn.training.quantisers.lsq import LearnedStepActivation, LearnedStepWeight
from onnx2snn.training.quantisers.max_abs import MaxAbsWeight
from onnx2snn.training.quantisers.median import MedianActivation, TernaryWeight
from onnx2snn.training.quantisers.pact import PactActivation
from onnx2snn.training.quantisers.qcfs import QcfsActivation
from onnx2snn.training.quantisers.rate_norm import RateNorm, omega

__all__ = [
    "ActivationQuantiser",
    "ClippedActivation",
    "InputQuantiser",
    "LearnedClipActivation",
    "LearnedStepActivation",
    "LearnedStepWeight",
    "MaxAbsWeight",
    "MedianActivation",
    "NormalisedWeight",
    "PactActivation",
    "QcfsActivation",
    "Quantiser",
    "RateNorm",
    "TernaryWeight",
    "WeightQuantiser",
    "apot_levels",
    "omega",
]
