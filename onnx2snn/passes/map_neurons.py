"""From staircases to the neurons of a code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnx2snn.errors import PassError, UnknownNameError, located
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import IF, STBIF, Affine, Neuron, SignedIF, Staircase, Ties
from onnx2snn.passes.base import Pass


@final
@dataclass(frozen=True)
class MapNeurons(Pass):
    """Maps every staircase to an integrate-and-fire neuron.

    given:   [Affine(shift)] -> Staircase(scale, lo, hi)
    result:  neuron with theta = value = scale, v0 = theta / 2 (rounding to nearest), bias = shift
    With fewer steps than a staircase has levels, `if` and `signed-if` cannot count that far: their spikes then
    stand for hi / steps levels each (theta = value = scale hi / steps, the rule of QCFS). `st-bif` keeps its
    steps and finishes while it settles.
    """

    name: ClassVar[str] = "map-neurons"
    code: str = "st-bif"
    steps: int = 0  #: inject steps; 0: as many as the largest staircase has levels

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise UnknownNameError(f"no code {self.code!r}; known: {', '.join(CODES)}")

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        stairs = graph.of(Staircase)
        steps = self.steps or most_levels(graph)
        for node in stairs:
            with located(f"{node}"):
                assert isinstance(node.op, Staircase)
                bias, source = _take_shift(graph, node)
                graph.replace(node.name, CODES[self.code](node.op, bias, steps), [source])
        return graph


def most_levels(graph: Graph) -> int:
    """The number of levels of the largest staircase; 1 where there is none."""
    return max((node.op.levels for node in graph.of(Staircase) if isinstance(node.op, Staircase)), default=1)


def _is_shift(node: Node) -> bool:
    return isinstance(node.op, Affine) and node.op.scale is None


def _shift(node: Node) -> Array:
    assert isinstance(node.op, Affine)
    return np.zeros(()) if node.op.shift is None else node.op.shift


def _take_shift(graph: Graph, node: Node) -> tuple[Array, str]:
    source = graph[node.inputs[0]]
    if not _is_shift(source):
        return np.zeros(()), source.name
    return _shift(source), source.inputs[0]


def _if(op: Staircase, bias: Array, steps: int) -> Neuron:
    if op.lo < 0:
        raise PassError(
            f"code if cannot hold the negative counts {op.lo} to -1; "
            "use code st-bif or signed-if, or pass offset-staircases before"
        )
    theta = op.scale * max(1.0, op.hi / steps)
    return IF(theta=theta, v0=theta / 2, bias=bias, value=theta, ties=_ties(op))


def _signed_if(op: Staircase, bias: Array, steps: int) -> Neuron:
    coarser = max(1.0, op.hi / steps)
    theta = op.scale * coarser
    return SignedIF(theta=theta, v0=theta / 2, bias=bias, value=theta, lo=-int(-op.lo // coarser), ties=_ties(op))


def _st_bif(op: Staircase, bias: Array, steps: int) -> Neuron:
    return STBIF(theta=op.scale, v0=op.scale / 2, bias=bias, value=op.scale, lo=op.lo, hi=op.hi, ties=_ties(op))


def _ties(op: Staircase) -> Ties:
    return "even" if op.rounding == "half-even" else "up"


CODES: dict[str, Callable[[Staircase, Array, int], Neuron]] = {"if": _if, "signed-if": _signed_if, "st-bif": _st_bif}
