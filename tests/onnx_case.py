"""A model built node by node, read, evaluated, and compared with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from models import Array, ModelBuilder
from onnx import helper

from onnx2snn.frontends.onnx import Reading, executor, read_onnx
from onnx2snn.reference import evaluate

TOLERANCE = 1e-5  # float32 against float64, sums of a few dozen terms of order one


def save(m: ModelBuilder, output: str, path: Path, kind: int = onnx.TensorProto.FLOAT, rank: int = 0) -> Path:
    """Writes the model; every axis of its output has a name of its own."""
    proto = m.model(output)
    axes = [f"axis{i}" for i in range(rank or _rank(proto))]
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info(output, kind, axes))
    proto.graph.input[0].type.tensor_type.elem_type = kind
    onnx.save(proto, str(path))
    return path


def _rank(proto: onnx.ModelProto) -> int:
    bare = onnx.ModelProto()
    bare.CopyFrom(proto)
    bare.graph.output[0].type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(bare)
    return len(inferred.graph.output[0].type.tensor_type.shape.dim)


def compare(path: Path, batch: int = 3, seed: int = 0, x: Array | None = None) -> Reading:
    """Reads the model and compares its output with the file's; returns what was read."""
    reading = read_onnx(path)
    graph = reading.graph
    (start,) = [node.name for node in graph if not node.inputs]
    if x is None:
        x = np.random.default_rng(seed).normal(0, 1, (batch, *graph.shape(start))).astype(np.float32)
    runtime = executor(path)
    expected = runtime.run(x)[runtime.output]
    (output,) = graph.outputs
    found = evaluate(graph, x)[output]
    assert found.shape == expected.shape
    assert graph.shape(output) == expected.shape[1:]
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)
    return reading
