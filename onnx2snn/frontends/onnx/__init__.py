"""The ONNX frontend: one file per family of ops and per quantisation dialect, all meeting in `rules.RULES`."""

from onnx2snn.frontends.onnx import (
    activations,
    arithmetic,
    dynamic,
    integer,
    linear,
    moves,
    multithreshold,
    qlinear,
    qonnx,
    quantisers,
    resize,
    shapes,
    trunc,
    windows,
)
from onnx2snn.frontends.onnx.reader import Listed, list_nodes, read_onnx
from onnx2snn.frontends.onnx.rules import RULES, known_ops
from onnx2snn.frontends.onnx.runtime import Executor, OnnxReference, OnnxRuntime, executor
from onnx2snn.frontends.reading import Reading, Record

FAMILIES = (
    activations,
    arithmetic,
    dynamic,
    integer,
    linear,
    moves,
    multithreshold,
    qlinear,
    qonnx,
    quantisers,
    resize,
    shapes,
    trunc,
    windows,
)

__all__ = [
    "FAMILIES",
    "RULES",
    "Executor",
    "Listed",
    "OnnxReference",
    "OnnxRuntime",
    "Reading",
    "Record",
    "executor",
    "known_ops",
    "list_nodes",
    "read_onnx",
]
