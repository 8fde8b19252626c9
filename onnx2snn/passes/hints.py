"""What to do about an op that has no spiking form where it stands."""

from __future__ import annotations

from onnx2snn.ir import Op
from onnx2snn.ir.ops import AveragePool, BatchNorm, Clip, Quantise, Relu

#: the pass that every network with such an op needs
TAKEN_BY: dict[type[Op], str] = {
    BatchNorm: "fold-batchnorm",
    Quantise: "insert-staircases",
    AveragePool: "average-to-sum",
}
HINTS: dict[type[Op], str] = {
    Relu: "a real-valued activation: quantise the model, or calibrate it on data (--calibrate)",
    Clip: "a real-valued activation: quantise the model, or calibrate it on data (--calibrate)",
    **{kind: f"pass {name} has to come before" for kind, name in TAKEN_BY.items()},
}
