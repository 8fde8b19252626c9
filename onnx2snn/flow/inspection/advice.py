"""What to change about a node that stands in the way."""

from __future__ import annotations

CALIBRATE = "give --calibrate DATA.npz to convert, or quantise the model"
WEIGHTS = "its weights are real: quantise them in the model, or give --weight-bits 8 to convert, for whole numbers"
DECODING = "cut the decoding off the exported model and run it on the output"
RECURRENT = "recurrent ops have no converted form; unroll it, or train a spiking network directly"
STATISTICS = "normalises by statistics of each sample: train with BatchNormalization instead"
CONTROL = "export with fixed shapes and without control flow"
ATTENTION = "products of two features have no spiking form but in the tail; convert what stands before it"

ADVICE: dict[str, str] = {
    **dict.fromkeys(("LSTM", "GRU", "RNN"), RECURRENT),
    **dict.fromkeys(("LayerNormalization", "InstanceNormalization", "GroupNormalization", "LRN"), STATISTICS),
    **dict.fromkeys(("NonMaxSuppression", "TopK", "ArgMax", "ArgMin", "NonZero", "GatherND", "ScatterND"), DECODING),
    **dict.fromkeys(("Loop", "If", "Scan"), CONTROL),
    **dict.fromkeys(("Attention", "MultiHeadAttention", "Einsum"), ATTENTION),
    **dict.fromkeys(("Relu", "Clip", "LeakyRelu", "PRelu"), CALIBRATE),
    "Resize": "export with nearest upsampling",
}
OTHERWISE = "replace it by ops that are read, or cut the model before it"


def advice(op: str) -> str:
    """What to do about an ONNX op that cannot be converted where it stands."""
    return ADVICE.get(op, OTHERWISE)
