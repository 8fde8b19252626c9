"""What to do about an op that has no spiking form where it stands."""

from __future__ import annotations

from onnx2snn.ir import Op
from onnx2snn.ir.ops import AveragePool, BatchNorm, Clip, Quantise, Relu

HINTS: dict[type[Op], str] = {
    Relu: "a real-valued activation: quantise the model, or calibrate it on data (--calibrate)",
    Clip: "a real-valued activation: quantise the model, or calibrate it on data (--calibrate)",
    AveragePool: "pass average-to-sum has to come before",
    BatchNorm: "pass fold-batchnorm has to come before",
    Quantise: "pass insert-staircases has to come before",
}
