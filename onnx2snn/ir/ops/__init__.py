"""All ops of the IR, by family."""

from onnx2snn.ir.op import Op
from onnx2snn.ir.ops.activation import BatchNorm, Clip, Relu
from onnx2snn.ir.ops.boundary import Input, Readout
from onnx2snn.ir.ops.linear import Add, Affine, Concat, Conv, Dense, Reshape
from onnx2snn.ir.ops.neuron import IF, STBIF, Neuron, SignedIF, Ties
from onnx2snn.ir.ops.pooling import AveragePool, MaxPool, Pool, SumPool
from onnx2snn.ir.ops.staircase import Encoder, Quantise, Rounding, Staircase

ALL_OPS: tuple[type[Op], ...] = (
    Input,
    Conv,
    Dense,
    Affine,
    Add,
    Concat,
    Reshape,
    SumPool,
    MaxPool,
    AveragePool,
    Relu,
    Clip,
    BatchNorm,
    Quantise,
    Staircase,
    Encoder,
    IF,
    SignedIF,
    STBIF,
    Readout,
)
OP_BY_NAME: dict[str, type[Op]] = {kind.name: kind for kind in ALL_OPS}
LINEAR: tuple[type[Op], ...] = (Conv, Dense, Affine, Add, Concat, Reshape, SumPool)

__all__ = [
    "ALL_OPS",
    "IF",
    "LINEAR",
    "OP_BY_NAME",
    "STBIF",
    "Add",
    "Affine",
    "AveragePool",
    "BatchNorm",
    "Clip",
    "Concat",
    "Conv",
    "Dense",
    "Encoder",
    "Input",
    "MaxPool",
    "Neuron",
    "Pool",
    "Quantise",
    "Readout",
    "Relu",
    "Reshape",
    "Rounding",
    "SignedIF",
    "Staircase",
    "SumPool",
    "Ties",
]
