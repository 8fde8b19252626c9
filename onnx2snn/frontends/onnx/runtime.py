"""What an ONNX file computes: any tensor of the model for a batch of inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from onnx2snn.errors import DataError, ModelError, located
from onnx2snn.frontends.onnx.code_tensors import dequantised
from onnx2snn.frontends.onnx.domains import QONNX
from onnx2snn.frontends.onnx.repair import repair
from onnx2snn.ir.op import Array

if TYPE_CHECKING:
    import onnx


class Executor(ABC):
    """Runs an ONNX file and also returns inner tensors, integer codes as what they mean: dequantised."""

    name: ClassVar[str]  #: as it is shown to users

    def __init__(self, path: Path, tensors: tuple[str, ...] = (), proto: onnx.ModelProto | None = None) -> None:
        """proto: what `path` holds, where it has been opened already; it is changed."""
        proto = _opened(path) if proto is None else proto
        constants = {tensor.name for tensor in proto.graph.initializer}
        values = [value for value in proto.graph.input if value.name not in constants]
        self._kinds = {value.name: _kind(value) for value in values}
        self._sizes = {value.name: _sizes(value) for value in values} if len(values) > 1 else {}
        self._batch = _fixed_batch(values[0])
        ends = [value.name for value in proto.graph.output]
        shown = dequantised(proto.graph, tensors)
        proto.graph.output.extend(_named(name) for name in shown.values() if name not in ends)
        self.outputs = tuple(name if shown.get(name, name) == name else f"{name} as codes" for name in ends)
        inner = tuple(name for name in tensors if name not in self.outputs)
        self.names = (*self.outputs, *inner)
        self._tensors = [*ends, *(shown[name] for name in inner)]
        with located(str(path)):
            self._load(proto)

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]

    def run(self, x: Array) -> dict[str, Array]:
        """All tensors asked for, by name, for a batch; the outputs come first.

        x: (batch, *input shape), or several inputs flattened side by side in the model's order.
        """
        fixed = self._batch or len(x)
        if fixed == len(x):
            return self._run(x)
        pieces = [self._run(piece) for piece in _pieces(x, fixed)]
        return {name: np.concatenate([piece[name] for piece in pieces])[: len(x)] for name in self.names}

    def _run(self, x: Array) -> dict[str, Array]:
        values = self._values(self._feeds(x))
        return {name: np.asarray(value) for name, value in zip(self.names, values, strict=True)}

    def _feeds(self, x: Array) -> dict[str, Array]:
        """The samples of each input in its own type and shape."""
        if not self._sizes:
            return {name: _typed(x, kind) for name, kind in self._kinds.items()}
        ends = np.cumsum([prod(size) for size in self._sizes.values()])
        parts = zip(self._sizes.items(), np.split(x, ends[:-1], axis=1), strict=True)
        return {name: _typed(part.reshape(len(x), *size), self._kinds[name]) for (name, size), part in parts}

    @abstractmethod
    def _load(self, proto: onnx.ModelProto) -> None:
        """Takes in the model; raises `ModelError` where it cannot."""

    @abstractmethod
    def _values(self, feeds: dict[str, Array]) -> list[Any]:
        """What stands for each of `names`."""


class OnnxRuntime(Executor):
    """ONNX Runtime with graph optimisation off: what runs is what the file says, rounding for rounding."""

    name = "ONNX Runtime"

    def _load(self, proto: onnx.ModelProto) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001  onnxruntime raises many types of its own
            raise ModelError(f"ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from None

    def _values(self, feeds: dict[str, Array]) -> list[Any]:
        return list(self._session.run(self._tensors, feeds))


class OnnxReference(Executor):
    """onnx's own reference evaluator with the ops of QONNX, which ONNX Runtime does not know. Slower."""

    name = "onnx.reference with the ops of QONNX"

    def _load(self, proto: onnx.ModelProto) -> None:
        from onnx.reference import ReferenceEvaluator

        from onnx2snn.frontends.onnx.qonnx_reference import OPS

        try:
            self._session = ReferenceEvaluator(proto, new_ops=OPS)
        except Exception as error:  # noqa: BLE001  the evaluator raises many types of its own
            raise ModelError(f"onnx.reference cannot load it: {str(error).splitlines()[0]}") from None

    def _values(self, feeds: dict[str, Array]) -> list[Any]:
        return list(self._session.run(self._tensors, feeds))  # type: ignore[arg-type]


def executor(path: Path, tensors: tuple[str, ...] = ()) -> Executor:
    """ONNX Runtime, or onnx's reference evaluator where the model holds ops of QONNX."""
    proto = _opened(path)
    custom = any(node.domain == QONNX for node in proto.graph.node)
    return OnnxReference(path, tensors, proto) if custom else OnnxRuntime(path, tensors, proto)


def _opened(path: Path) -> onnx.ModelProto:
    import onnx

    proto = onnx.load(str(path))
    repair(proto)
    return proto


def _named(name: str) -> onnx.ValueInfoProto:
    import onnx

    return onnx.ValueInfoProto(name=name)


def _kind(value: onnx.ValueInfoProto) -> np.dtype[Any]:
    import onnx

    return onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)


def _typed(x: Array, kind: np.dtype[Any]) -> Array:
    """Samples in the type that the model takes; raises `DataError` where an integer type would change them."""
    typed = x.astype(kind)
    if kind.kind in "iu" and (typed != x).any():
        wrong = x[typed != x].ravel()[0]
        raise DataError(f"x: whole numbers of the input's type {kind} expected, found {wrong}")
    return typed


def _sizes(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Shape of one sample."""
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim[1:])


def _fixed_batch(value: onnx.ValueInfoProto) -> int:
    """Number of samples that the model fixes, or 0."""
    sizes = value.type.tensor_type.shape.dim
    return max(0, sizes[0].dim_value) if sizes else 0  # old exporters write -1 for a free one


def _pieces(x: Array, size: int) -> list[Array]:
    """Batches of exactly `size` samples, the last one filled up with its own last sample."""
    short = -len(x) % size
    filled = np.concatenate([x, np.repeat(x[-1:], short, axis=0)]) if short else x
    return [filled[i : i + size] for i in range(0, len(filled), size)]
