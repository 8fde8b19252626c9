"""Code `ladder` in somas without memory: each unit of a neuron a call of P08 with a threshold of its own."""

from onnx2snn.backends.tianjic.ladder.decode import decode_ladder
from onnx2snn.backends.tianjic.ladder.emulator import TianjicLadderEmulator
from onnx2snn.backends.tianjic.ladder.rules import LADDER_LIMITS
from onnx2snn.backends.tianjic.ladder.tables import write_ladder

__all__ = ["LADDER_LIMITS", "TianjicLadderEmulator", "decode_ladder", "write_ladder"]
