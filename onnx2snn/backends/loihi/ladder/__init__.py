"""Code `ladder` in compartments without memory: each unit of a neuron one, its breakpoint in its bias."""

from onnx2snn.backends.loihi.ladder.decode import decode_ladder
from onnx2snn.backends.loihi.ladder.emulator import LoihiLadderEmulator
from onnx2snn.backends.loihi.ladder.rules import LADDER_LIMITS
from onnx2snn.backends.loihi.ladder.tables import write_ladder

__all__ = ["LADDER_LIMITS", "LoihiLadderEmulator", "decode_ladder", "write_ladder"]
