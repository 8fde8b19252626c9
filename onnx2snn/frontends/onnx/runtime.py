"""ONNX Runtime as the reference: any tensor of the model for a batch of inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onnx2snn.errors import ModelError, located
from onnx2snn.frontends.onnx.code_tensors import dequantised
from onnx2snn.frontends.onnx.repair import repair
from onnx2snn.ir.op import Array


class OnnxRuntime:
    """A session over an ONNX file that also returns inner tensors.

    Graph optimisation is off, so that what runs is what the file says, rounding for rounding. Inner tensors of integer
    codes come back as what they mean: dequantised on the grid of the op that made them.
    """

    def __init__(self, path: Path, tensors: tuple[str, ...] = ()) -> None:
        import onnx
        import onnxruntime

        proto = onnx.load(str(path))
        repair(proto)
        outputs = {value.name for value in proto.graph.output}
        last = proto.graph.output[0].name
        shown = dequantised(proto.graph, tensors)
        proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in shown.values() if name not in outputs)
        self.output = last if shown.get(last, last) == last else f"{last} as codes"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        with located(str(path)):
            try:
                self._session = onnxruntime.InferenceSession(
                    proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # noqa: BLE001  onnxruntime raises many types of its own
                raise ModelError(f"ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from None
        self._input = self._session.get_inputs()[0]
        self.names = (self.output, *(name for name in tensors if name != self.output))
        self._tensors = [last, *(shown[name] for name in self.names[1:])]

    def run(self, x: Array) -> dict[str, Array]:
        """All tensors asked for, by name, for a batch; the output comes first."""
        kind = _dtype(self._input.type)
        fixed = self._input.shape[0] if isinstance(self._input.shape[0], int) else len(x)
        if fixed == len(x):
            return self._run(x.astype(kind))
        pieces = [self._run(piece) for piece in _pieces(x.astype(kind), fixed)]
        return {name: np.concatenate([piece[name] for piece in pieces])[: len(x)] for name in self.names}

    def _run(self, x: Array) -> dict[str, Array]:
        values = self._session.run(self._tensors, {self._input.name: x})
        return {name: np.asarray(value) for name, value in zip(self.names, values, strict=True)}


def _dtype(name: str) -> np.dtype[Any]:
    """The NumPy type of an ONNX Runtime type such as `tensor(float)` or `tensor(int8)`."""
    inner = name.removeprefix("tensor(").removesuffix(")")
    return np.dtype({"float": "float32", "double": "float64"}.get(inner, inner))


def _pieces(x: Array, size: int) -> list[Array]:
    """Batches of exactly `size` samples, the last one filled up with its own last sample."""
    short = -len(x) % size
    filled = np.concatenate([x, np.repeat(x[-1:], short, axis=0)]) if short else x
    return [filled[i : i + size] for i in range(0, len(filled), size)]
