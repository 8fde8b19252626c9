"""Real-valued weights as whole numbers of few bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.errors import UsageError
from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Conv, Dense
from onnx2snn.passes.base import Rewrite


@final
@dataclass(frozen=True)
class QuantiseWeights(Rewrite):
    """Rounds real weights to whole numbers of `bits` bits, symmetric, one scale an output channel.

    given:   Conv or Dense with real weights and no scale
    result:  weight = round(w / scale), |weight| <= 2^(bits-1) - 1, scale = max|w| / (2^(bits-1) - 1) of the channel;
             the bias stays real. A BatchNorm behind it still folds without another rounding.
    """

    name: ClassVar[str] = "quantise-weights"
    kinds: ClassVar[tuple[type[Op], ...]] = (Conv, Dense)
    bits: int = 8

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 16:
            raise UsageError(f"pass {self.name}: 2 to 16 bits expected, found {self.bits}")

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, (Conv, Dense))
        if op.weight.dtype.kind == "i":
            return "its weights are whole already"
        weight = op.weight.astype(np.float64)
        if op.scale is not None:
            weight = weight * op.scale.reshape((-1,) + (1,) * (weight.ndim - 1))
        largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        scale = np.where(largest > 0, largest, 1.0) / ((1 << self.bits - 1) - 1)
        whole = np.rint(weight / scale.reshape((-1,) + (1,) * (weight.ndim - 1)))
        graph.replace(node.name, replace(op, weight=whole.astype(np.int8 if self.bits <= 8 else np.int64), scale=scale))
        return None
