"""From staircases to the neurons of a code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast, final, get_args

import numpy as np

from onnx2snn.errors import PassError, UnknownNameError, UsageError, located
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import (
    IF,
    LIF,
    STBIF,
    Affine,
    Ladder,
    Neuron,
    Reset,
    SignedIF,
    Staircase,
    StoreAndForward,
    Ties,
    Traced,
)
from onnx2snn.passes.base import Pass
from onnx2snn.reference import ends


@final
@dataclass(frozen=True)
class MapNeurons(Pass):
    """Maps every staircase to an integrate-and-fire neuron.

    given:   [Affine(shift)] -> Staircase(scale, lo, hi)
    result:  neuron with theta = value = scale, v0 = theta / 2 (rounding to nearest), bias = shift
    With fewer steps than a staircase has levels, `if`, `signed-if` and `lif` cannot count that far: their spikes then
    stand for hi / steps levels each (theta = value = scale hi / steps, the rule of QCFS). `st-bif` keeps its steps and
    finishes while it settles. A `store-and-forward` population opens when all charge has come: after the inject steps
    where only constant input feeds it, else when the windows of all populations that feed it are over. `ladder` has
    one step. `lif` leaks, so that its neurons have dynamics of their own and equal no staircase.
    """

    name: ClassVar[str] = "map-neurons"
    code: str = "st-bif"
    steps: int = 0  #: inject steps; 0: as many as the largest staircase has levels
    decay: float = 0.9  #: of `lif`: what a membrane keeps from one step to the next
    reset: str = "subtract"  #: of `lif`: "subtract" theta after a spike, or to "zero"

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise UnknownNameError(f"no code {self.code!r}; known: {', '.join(CODES)}")
        if self.code == "ladder" and self.steps not in (0, 1):
            raise UsageError(f"code ladder runs in one step: steps 1 expected, found {self.steps}")
        check_leak(self.code, self.decay, self.reset)

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        stairs = graph.of(Staircase)
        steps = self.steps or most_levels(graph)
        for node in stairs:
            with located(node):
                assert isinstance(node.op, Staircase)
                bias, source = _take_shift(graph, node)
                graph.replace(node.name, CODES[self.code](self, node.op, bias, steps), [source])
        _open_in_turn(graph, steps)
        return graph


def check_leak(code: str, decay: float, reset: str) -> None:
    """Raises `UsageError` for a decay or reset that there is not, or that `code` has no use for."""
    if not 0 <= decay <= 1:
        raise UsageError(f"decay: a number from 0 to 1 expected, found {decay}")
    if reset not in get_args(Reset):
        raise UsageError(f"reset: {' or '.join(get_args(Reset))} expected, found {reset!r}")
    if code != "lif" and (decay, reset) != (MapNeurons.decay, MapNeurons.reset):
        raise UsageError(f"decay, reset: go with code lif, which alone leaks; found code {code}")


def _open_in_turn(graph: Graph, steps: int) -> None:
    """Gives every population that stores its charge the tick when all of it has arrived."""
    for node in graph.of(StoreAndForward):
        assert isinstance(node.op, StoreAndForward)
        done = ends(graph, steps)
        graph.replace(node.name, replace(node.op, opens=max(done[source] for source in node.inputs)))


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


def _if(how: MapNeurons, op: Staircase, bias: Array, steps: int) -> Neuron:
    return IF(**_unsigned("if", op, bias, steps))


def _lif(how: MapNeurons, op: Staircase, bias: Array, steps: int) -> Neuron:
    return LIF(**_unsigned("lif", op, bias, steps), decay=float(how.decay), reset=cast("Reset", how.reset))


def _unsigned(code: str, op: Staircase, bias: Array, steps: int) -> dict[str, Any]:
    if op.lo < 0:
        raise PassError(
            f"code {code} cannot hold the negative counts {op.lo} to -1; "
            "use code st-bif or signed-if, or pass offset-staircases before"
        )
    theta = op.scale * max(1.0, op.hi / steps)
    return {"theta": theta, "v0": theta / 2, "bias": bias, "value": theta, "ties": _ties(op)}


def _signed_if(how: MapNeurons, op: Staircase, bias: Array, steps: int) -> Neuron:
    coarser = max(1.0, op.hi / steps)
    theta = op.scale * coarser
    return SignedIF(theta=theta, v0=theta / 2, bias=bias, value=theta, lo=-int(-op.lo // coarser), ties=_ties(op))


def _traced(kind: type[Traced]) -> Maker:
    def make(how: MapNeurons, op: Staircase, bias: Array, steps: int) -> Neuron:
        theta = op.scale
        return kind(theta=theta, v0=theta / 2, bias=bias, value=theta, lo=op.lo, hi=op.hi, ties=_ties(op))

    return make


def _ties(op: Staircase) -> Ties:
    return "even" if op.rounding == "half-even" else "up"


Maker = Callable[[MapNeurons, Staircase, Array, int], Neuron]
CODES: dict[str, Maker] = {
    "if": _if,
    "signed-if": _signed_if,
    "lif": _lif,
    "st-bif": _traced(STBIF),
    "store-and-forward": _traced(StoreAndForward),
    "ladder": _traced(Ladder),
}
UNSIGNED = ("if", "lif")  #: codes that cannot count below zero
