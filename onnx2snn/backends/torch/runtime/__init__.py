"""Everything that a network needs to run: layers over signals. Imports torch and the standard library alone.

The emitted `model.py` carries the text of these files, so that it runs without this package.
"""

from onnx2snn.backends.torch.runtime.arithmetic import Number, cast, full_float32, keep, shares
from onnx2snn.backends.torch.runtime.network import Encoder, Readout, SpikingNet, part, read_safetensors
from onnx2snn.backends.torch.runtime.neurons import IF, STBIF, Neuron, SignedIF, Surrogate
from onnx2snn.backends.torch.runtime.signals import Clock, Signal, spread, still
from onnx2snn.backends.torch.runtime.synapses import (
    Add,
    Affine,
    Concat,
    Conv,
    Dense,
    MaxPool,
    Reshape,
    SumPool,
    Synapse,
)

__all__ = [
    "IF",
    "STBIF",
    "Add",
    "Affine",
    "Clock",
    "Concat",
    "Conv",
    "Dense",
    "Encoder",
    "MaxPool",
    "Neuron",
    "Number",
    "Readout",
    "Reshape",
    "Signal",
    "SignedIF",
    "SpikingNet",
    "SumPool",
    "Surrogate",
    "Synapse",
    "cast",
    "full_float32",
    "keep",
    "part",
    "read_safetensors",
    "shares",
    "spread",
    "still",
]
