"""Everything that a network needs to run: layers over signals. Imports torch and the standard library alone.

The emitted `model.py` carries the text of these files, so that it runs without this package.
"""

from onnx2snn.backends.torch.runtime.arithmetic import Number, cast, full_float32, keep, shares
from onnx2snn.backends.torch.runtime.ends import Encoder, Readout
from onnx2snn.backends.torch.runtime.functions import (
    Clip,
    LeakyRelu,
    Maximum,
    Minimum,
    Multiply,
    Relu,
    Softmax,
    Unary,
)
from onnx2snn.backends.torch.runtime.joins import Add, Concat
from onnx2snn.backends.torch.runtime.moves import Dilate, Gather, Pad, Reshape, Transpose
from onnx2snn.backends.torch.runtime.network import SpikingNet, part, read_safetensors
from onnx2snn.backends.torch.runtime.neurons import (
    IF,
    LIF,
    STBIF,
    Ladder,
    Neuron,
    SignedIF,
    StoreAndForward,
    Straight,
    Surrogate,
)
from onnx2snn.backends.torch.runtime.pools import AveragePool, MaxPool, SumPool
from onnx2snn.backends.torch.runtime.quantisers import Quantise, Steps
from onnx2snn.backends.torch.runtime.signals import Clock, Signal, spread, still
from onnx2snn.backends.torch.runtime.synapses import Affine, Conv, Dense, Synapse

__all__ = [
    "IF",
    "LIF",
    "STBIF",
    "Add",
    "Affine",
    "AveragePool",
    "Clip",
    "Clock",
    "Concat",
    "Conv",
    "Dense",
    "Dilate",
    "Encoder",
    "Gather",
    "Ladder",
    "LeakyRelu",
    "MaxPool",
    "Maximum",
    "Minimum",
    "Multiply",
    "Neuron",
    "Number",
    "Pad",
    "Quantise",
    "Readout",
    "Relu",
    "Reshape",
    "Signal",
    "SignedIF",
    "Softmax",
    "SpikingNet",
    "Steps",
    "StoreAndForward",
    "Straight",
    "SumPool",
    "Surrogate",
    "Synapse",
    "Transpose",
    "Unary",
    "cast",
    "full_float32",
    "keep",
    "part",
    "read_safetensors",
    "shares",
    "spread",
    "still",
]
