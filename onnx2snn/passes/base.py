"""The one form of a pass: a frozen dataclass whose fields are its options, graph in, new graph out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnx2snn.errors import located
from onnx2snn.ir import Graph, Node, Op, verify
from onnx2snn.passes.options import with_options

Observer = Callable[["Pass", Graph, Sequence[str]], None]


class Approximation(str):
    """A note of a pass that changed what the network computes: where, and by how much at most."""

    __slots__ = ()


@dataclass(frozen=True)
class Pass(ABC):
    """Graph -> Graph. The input graph is never changed; the result, where it is another, is verified.

    A subclass sets `name` and implements `change`, which edits a copy (or returns another graph) and appends to
    `notes` why it left a node alone.
    """

    name: ClassVar[str]

    def __call__(self, graph: Graph, notes: list[str] | None = None) -> Graph:
        with located(f"pass {self.name}"):
            result = self.change(graph.copy(), [] if notes is None else notes)
            result.prune()
            if not result.untouched(graph):
                verify(result)
        return result

    @abstractmethod
    def change(self, graph: Graph, notes: list[str]) -> Graph:
        """Does the work on `graph`, a copy."""

    def __str__(self) -> str:
        return with_options(self.name, self)


@dataclass(frozen=True)
class Rewrite(Pass):
    """A pass that visits the nodes of some kinds, one after the other."""

    kinds: ClassVar[tuple[type[Op], ...]]

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        for node in graph.of(*self.kinds):
            if node.name not in graph:
                continue
            with located(node):
                reason = self.rewrite(graph, graph[node.name])
            if reason is not None:
                note = f"{node}: {reason}"
                notes.append(Approximation(note) if isinstance(reason, Approximation) else note)
        return graph

    @abstractmethod
    def rewrite(self, graph: Graph, node: Node) -> str | None:
        """Rewrites around `node` in place, or returns the reason why not."""


Recipe = tuple[Pass, ...]


def run_passes(graph: Graph, recipe: Sequence[Pass], observer: Observer | None = None) -> Graph:
    """Runs passes in order; after each, `observer(pass, result, reasons for declining)` is called."""
    for step in recipe:
        notes: list[str] = []
        graph = step(graph, notes)
        if observer is not None:
            observer(step, graph, notes)
    return graph


def approximate(
    graph: Graph, recipe: Sequence[Pass], observer: Observer | None = None
) -> tuple[Graph, tuple[Approximation, ...]]:
    """Runs passes in order, like `run_passes`, and returns with the graph what they changed of its meaning."""
    found: list[Approximation] = []

    def watch(step: Pass, made: Graph, notes: Sequence[str]) -> None:
        found.extend(note for note in notes if isinstance(note, Approximation))
        if observer is not None:
            observer(step, made, notes)

    return run_passes(graph, recipe, watch), tuple(found)
