"""The living definition of every op in NumPy: float64, or exact integers; slow and clear."""

from onnx2snn.reference import moves
from onnx2snn.reference.drive import carries_constant, constant_nodes, cut, part
from onnx2snn.reference.feeding import feed, inputs_of, pack, sample_shape
from onnx2snn.reference.functions import FUNCTIONS, apply, counts_of, exact, round_to
from onnx2snn.reference.network import evaluate
from onnx2snn.reference.neurons import FIRE, State, decayed, start, step
from onnx2snn.reference.spiking import Run, awake, ends, in_chunks, joined, run, settle_bound
from onnx2snn.reference.tail import tail_nodes
from onnx2snn.reference.trace import Trace, trace
from onnx2snn.reference.watching import Channel, Watch

RULE_FILES = (moves,)  #: importing them registers their rules

__all__ = [
    "FIRE",
    "FUNCTIONS",
    "Channel",
    "Run",
    "State",
    "Trace",
    "Watch",
    "apply",
    "awake",
    "carries_constant",
    "constant_nodes",
    "counts_of",
    "cut",
    "decayed",
    "ends",
    "evaluate",
    "exact",
    "feed",
    "in_chunks",
    "inputs_of",
    "joined",
    "pack",
    "part",
    "round_to",
    "run",
    "sample_shape",
    "settle_bound",
    "start",
    "step",
    "tail_nodes",
    "trace",
]
