"""How robust is it: what is disturbed, how strongly, and how often it is tried."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Neuron
from onnx2snn.metrics.activity import roles
from onnx2snn.metrics.loss import SpikeLoss
from onnx2snn.metrics.perturb import perturbed

WORDS = 1 << 32
ENCODER = "encoder"  #: stands for the populations that have no other before them


@dataclass(frozen=True)
class Noise:
    """drop: probability that a spike is lost, in the populations `drop_in`: names, patterns like `conv*`, or `encoder`;
    none: in all.

    weight, threshold: relative standard deviations of Gaussian noise.  seed: of all of it.  repeats: runs, each with
    noise of its own.
    """

    drop: float = 0.0
    drop_in: tuple[str, ...] = ()
    weight: float = 0.0
    threshold: float = 0.0
    seed: int = 0
    repeats: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.drop <= 1:
            raise UsageError(f"`drop`: a probability from 0 to 1 expected, found {self.drop}")
        for name, sigma in (("weight", self.weight), ("threshold", self.threshold)):
            if not 0 <= sigma < float("inf"):
                raise UsageError(f"`{name}`: a standard deviation of at least 0 expected, found {sigma}")
        if not 0 <= self.seed < WORDS:
            raise UsageError(f"`seed`: a whole number from 0 to {WORDS - 1} expected, found {self.seed}")
        if not 1 <= self.repeats < WORDS:
            raise UsageError(f"`repeats`: a whole number from 1 on expected, found {self.repeats}")
        if self.drop_in and not self.drop:
            raise UsageError("`drop_in`: names where spikes are lost; give the probability as well (`drop`)")
        if self.repeats > 1 and not self:
            raise UsageError("`repeats`: without noise every run is the same; give `drop`, `weight` or `threshold`")

    def __bool__(self) -> bool:
        return bool(self.drop or self.weight or self.threshold)

    def loss(self, graph: Graph, repeat: int, first: int) -> SpikeLoss | None:
        """What loses spikes of a run that begins with sample `first`; None where none are lost."""
        if not self.drop:
            return None
        numbers = {node.name: number for number, node in enumerate(graph.of(Neuron))}
        named = self._named(graph)
        chosen = {name: number for name, number in numbers.items() if name in named}
        return SpikeLoss(self.drop, chosen, self.seed, repeat, first)

    def graph(self, graph: Graph, repeat: int) -> Graph:
        """The graph with its weights and thresholds disturbed, or itself where they are not."""
        if not (self.weight or self.threshold):
            return graph
        return perturbed(graph, self.weight, self.threshold, self.seed, repeat)

    def _named(self, graph: Graph) -> set[str]:
        known = {name: role for name, role in roles(graph).items() if role != "pool"}
        named: set[str] = set()
        for wanted in self.drop_in:
            found = {name for name in known if fnmatchcase(name, wanted) or name == wanted}
            if wanted == ENCODER:
                found |= {name for name, role in known.items() if role == ENCODER}
            if not found:
                raise UnknownNameError(f"no population {wanted!r}; one of these expected", [ENCODER, *known])
            named |= found
        return named or set(known)


SILENCE = Noise()
