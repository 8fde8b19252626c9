"""Whole numbers on the finest grid that a chip's word lengths allow, layer by layer."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from onnx2snn.backends.chains.layers import Population
from onnx2snn.backends.chains.rules import is_chain
from onnx2snn.backends.chains.walk import chain_of
from onnx2snn.ir import Graph
from onnx2snn.passes import MakeInteger
from onnx2snn.passes.base import Pass


@dataclass(frozen=True)
class FitGrid(Pass):
    """`make-integer` with as many fractional bits for each population as the chip holds.

    given:   what `make-integer` takes
    result:  what it gives. A population whose smallest exact grid does not fit the chip is rounded on the finest
             grid that does; one that fits on no grid stays on the coarsest, for the design rules to refuse.
    A subclass names the chip's limits.
    """

    most_shift: ClassVar[int]  #: fractional bits to begin with
    most_theta: ClassVar[int]  #: largest threshold of any population
    analog_bits: ClassVar[int] = 16  #: of a threshold whose neurons the host drives with real-valued currents
    steps: int = 15  #: ticks of each population
    timed: bool = False  #: see `make-integer`

    @abstractmethod
    def fits(self, population: Population) -> bool:
        """Whether the chip can hold a population and the synapse before it, whatever its input."""

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        made = self.whole(graph, self.most_shift, notes)
        if not is_chain(made):
            return made
        for shift in reversed(range(self.most_shift)):
            misfits = [p for p in chain_of(made).populations if p.shift > shift and not self.fits(p)]
            if not misfits:
                continue
            reasons: list[str] = []
            coarser = self.whole(graph, shift, reasons)
            for population in misfits:
                made.replace(population.name, coarser[population.name].op)
                notes[:] = [note for note in notes if not note.startswith(population.label)]
                notes += [note for note in reasons if note.startswith(population.label)]
        return made

    def whole(self, graph: Graph, shift: int, notes: list[str]) -> Graph:
        """The graph in whole numbers with at most so many fractional bits."""
        bits, timed = self.analog_bits, self.timed
        whole = MakeInteger(steps=self.steps, shift=shift, theta=self.most_theta, timed=timed, analog_bits=bits)
        return whole(graph, notes)
