"""Weights as whole numbers of few bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.analysis.registers import width
from onnx2snn.analysis.weight_rounding import SCALES, SEARCHES, Scales, Search, on_grid, real_rows, shift
from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Conv, Dense
from onnx2snn.passes.base import Approximation, Rewrite
from onnx2snn.reference import constant_nodes


@final
@dataclass(frozen=True)
class QuantiseWeights(Rewrite):
    """Rounds weights to whole numbers of `bits` bits, symmetric, with a scale for each channel or one for the layer.

    given:   Conv or Dense with real weights, or with whole ones of more bits
    result:  weight = clip(rint(w / scale), -q, q), q = 2^(bits-1) - 1, scale = max|w| / q of the channel or layer, or
             the share of it with the least squared error (see `onnx2snn.analysis.weight_rounding`). The bias stays
             real. Weights that are whole numbers in the end get whole scales: their sums stay whole, which networks
             spelled in whole numbers count on where they round sums twice. A BatchNorm that is still behind it folds
             without another rounding.
    Behind find-weight-grids, weights that lie on a grid of so few bits stay as they are; behind fold-batchnorm, a scale
    for the layer stays one. What moves is said: the error of the weights, and where the input has a range, how far the
    sums can be off. first: also those that no neuron comes before, which a chip leaves to its host.
    """

    name: ClassVar[str] = "quantise-weights"
    kinds: ClassVar[tuple[type[Op], ...]] = (Conv, Dense)
    bits: int = 8
    scales: Scales = "channel"
    search: Search = "max"
    first: bool = True

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 16:
            raise UsageError(f"pass {self.name}: 2 to 16 bits expected, found {self.bits}")
        if self.scales not in SCALES:
            raise UnknownNameError(f"pass {self.name}: no scales {self.scales!r}; known: {', '.join(SCALES)}")
        if self.search not in SEARCHES:
            raise UnknownNameError(f"pass {self.name}: no search {self.search!r}; known: {', '.join(SEARCHES)}")

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, (Conv, Dense))
        if not self.first and node.name in constant_nodes(graph):
            return "no neuron comes before it"
        if few_bits(op, self.bits):
            return f"its weights are whole numbers of {width(op.weight, op.weight)} bits already"
        rows = real_rows(op)
        whole = bool((rows == np.rint(rows)).all())
        grid = on_grid(rows, self.bits, self.scales, self.search, whole)
        moved = shift(graph, node, rows, grid.values)
        codes = grid.codes.reshape(op.weight.shape).astype(np.int8 if self.bits <= 8 else np.int64)
        graph.replace(node.name, replace(op, weight=codes, scale=grid.scale))
        scale = "a whole scale" if whole else "a scale"
        each = "for each channel" if self.scales == "channel" else "for the layer"
        return Approximation(f"weights rounded to {self.bits} bits, {scale} {each}: {moved}")


def few_bits(op: Conv | Dense, bits: int) -> bool:
    """Whether all weights are whole numbers of at most `bits` bits, the sign among them."""
    return op.weight.dtype.kind == "i" and width(op.weight, op.weight) <= bits
