"""All ops of the IR, by family."""

from onnx2snn.ir.op import Op
from onnx2snn.ir.ops.activation import BatchNorm, Clip, Relu
from onnx2snn.ir.ops.boundary import Input, Readout
from onnx2snn.ir.ops.elementwise import (
    Combination,
    Function,
    LeakyRelu,
    Maximum,
    Minimum,
    Multiply,
    Softmax,
    Unary,
)
from onnx2snn.ir.ops.linear import Add, Affine, Concat, Conv, Dense, Reshape
from onnx2snn.ir.ops.moves import Dilate, Gather, Pad, Transpose
from onnx2snn.ir.ops.neuron import IF, STBIF, Neuron, SignedIF, Ties
from onnx2snn.ir.ops.pooling import AveragePool, MaxPool, Pool, SumPool
from onnx2snn.ir.ops.staircase import Encoder, Quantise, QuantiserRounding, Rounding, Staircase, Steps

ALL_OPS: tuple[type[Op], ...] = (
    Input,
    Conv,
    Dense,
    Affine,
    Add,
    Concat,
    Reshape,
    Transpose,
    Gather,
    Pad,
    Dilate,
    SumPool,
    MaxPool,
    AveragePool,
    Relu,
    Clip,
    LeakyRelu,
    Unary,
    Multiply,
    Minimum,
    Maximum,
    Softmax,
    BatchNorm,
    Quantise,
    Steps,
    Staircase,
    Encoder,
    IF,
    SignedIF,
    STBIF,
    Readout,
)
OP_BY_NAME: dict[str, type[Op]] = {kind.name: kind for kind in ALL_OPS}
MOVES: tuple[type[Op], ...] = (Reshape, Transpose, Gather, Pad, Dilate)
LINEAR: tuple[type[Op], ...] = (Conv, Dense, Affine, Add, Concat, SumPool, *MOVES)

__all__ = [
    "ALL_OPS",
    "IF",
    "LINEAR",
    "MOVES",
    "OP_BY_NAME",
    "STBIF",
    "Add",
    "Affine",
    "AveragePool",
    "BatchNorm",
    "Clip",
    "Combination",
    "Concat",
    "Conv",
    "Dense",
    "Dilate",
    "Encoder",
    "Function",
    "Gather",
    "Input",
    "LeakyRelu",
    "MaxPool",
    "Maximum",
    "Minimum",
    "Multiply",
    "Neuron",
    "Pad",
    "Pool",
    "Quantise",
    "QuantiserRounding",
    "Readout",
    "Relu",
    "Reshape",
    "Rounding",
    "SignedIF",
    "Softmax",
    "Staircase",
    "Steps",
    "SumPool",
    "Ties",
    "Transpose",
    "Unary",
]
