"""The graph of ops, and the checks of a whole one: the only file that knows networkx."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx

from onnx2snn.errors import GraphError, located
from onnx2snn.ir.op import Op, Shape, same


@dataclass(frozen=True)
class Origin:
    """The ONNX node that an IR node came from, and the ONNX tensor that holds its value."""

    node: str = ""
    op: str = ""
    tensor: str = ""

    def __str__(self) -> str:
        return f"from {self.op} {self.node!r}" if self.op else "made by a pass"


@dataclass(frozen=True)
class Node:
    """One named op of a graph with the names of its inputs."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    origin: Origin = Origin()

    def __str__(self) -> str:
        return f"{self.name} ({type(self.op).__name__}, {self.origin})"


class Graph:
    """A directed acyclic graph of named ops, each with one output.

    Nodes iterate in topological order, ties broken by order of insertion. Shapes leave out the batch axis and are
    inferred once a node is added, so a node can only be added after its inputs.
    """

    def __init__(self, name: str = "net") -> None:
        self.name = name
        self.outputs: tuple[str, ...] = ()
        self._nodes: dict[str, Node] = {}  # in order of insertion; their inputs are the edges
        self._shapes: dict[str, Shape] = {}
        # worked out from the nodes when asked for, and None until then:
        self._edges: nx.DiGraph[str] | None = None  # from what is read to what reads it, whatever the slots
        self._places: dict[str, int] | None = {}  # in topological order

    # -- reading ------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Node]:
        return iter([self._nodes[name] for name in self._sorted()])

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __getitem__(self, name: str) -> Node:
        try:
            return self._nodes[name]
        except KeyError:
            raise GraphError(f"no node {name!r} in graph {self.name!r}") from None

    def get(self, name: str) -> Node | None:
        """The node of that name, or None."""
        return self._nodes.get(name)

    def shape(self, name: str) -> Shape:
        """Shape of a node's output, without the batch axis."""
        return self._shapes[self[name].name]

    def consumers(self, name: str) -> tuple[Node, ...]:
        """Nodes that read `name`, in topological order; twice where both inputs read it."""
        readers = [self._nodes[reader] for reader in self._linked().successors(name)]
        if len(readers) > 1:
            places = self._sorted()
            readers.sort(key=lambda node: places[node.name])
        return tuple(node for node in readers for source in node.inputs if source == name)

    def of(self, *kinds: type[Op]) -> tuple[Node, ...]:
        """Nodes whose op is one of `kinds`, in topological order."""
        return tuple(node for node in self if isinstance(node.op, kinds))

    def equal(self, other: Graph) -> bool:
        """Whether both graphs have the same nodes (ops, inputs, origins) in the same order and the same outputs."""
        mine, yours = list(self), list(other)
        return (
            self.outputs == other.outputs
            and [(n.name, n.inputs, n.origin) for n in mine] == [(n.name, n.inputs, n.origin) for n in yours]
            and all(same(a.op, b.op) for a, b in zip(mine, yours, strict=True))
        )

    def untouched(self, other: Graph) -> bool:
        """Whether both hold the very same nodes and outputs, as a copy that nobody has edited."""
        return self.outputs == other.outputs and self._nodes == other._nodes

    # -- editing ------------------------------------------------------------------------------------------------

    def add(self, name: str, op: Op, inputs: Sequence[str] = (), origin: Origin = Origin()) -> str:
        """Adds a node after its inputs and returns its name; raises `GraphError` where it does not fit."""
        if name in self._nodes:
            raise GraphError(f"node {name!r} exists already in graph {self.name!r}")
        self._put(Node(name, op, tuple(inputs), origin))
        if self._places is not None:
            self._places[name] = next(reversed(self._places.values()), -1) + 1  # nothing reads it yet
        return name

    def replace(self, name: str, op: Op, inputs: Sequence[str] | None = None) -> None:
        """Gives node `name` another op and, where given, other inputs; shapes after it follow."""
        node, shape = self[name], self.shape(name)
        sources = node.inputs if inputs is None else tuple(inputs)
        if op is node.op and sources == node.inputs:
            return
        self._put(replace(node, op=op, inputs=sources))
        if sources != node.inputs:
            self._places = None
        if self.shape(name) != shape:
            self._infer_after(name)

    def insert_before(self, name: str, op: Op, new: str, slot: int = 0) -> str:
        """Puts a new node on the edge that feeds input `slot` of node `name`."""
        node = self[name]
        made = self.add(self.fresh(new), op, (node.inputs[slot],))
        self.replace(name, node.op, [made if i == slot else source for i, source in enumerate(node.inputs)])
        return made

    def remove(self, name: str, use: str) -> None:
        """Removes node `name`; whoever read it reads `use` instead."""
        for consumer in {c.name for c in self.consumers(name)}:
            node = self[consumer]
            self.replace(consumer, node.op, [use if source == name else source for source in node.inputs])
        self.outputs = tuple(use if output == name else output for output in self.outputs)
        self._drop(name)

    def rename(self, name: str, new: str) -> None:
        """Gives a node another name, everywhere."""
        if new in self._nodes:
            raise GraphError(f"node {new!r} exists already in graph {self.name!r}")
        node = self[name]
        self.add(new, node.op, node.inputs, node.origin)
        self.remove(name, new)

    def annotate(self, name: str, origin: Origin) -> None:
        """Says where a node came from."""
        self._nodes[name] = replace(self[name], origin=origin)

    def fresh(self, name: str) -> str:
        """`name`, or `name.2`, `name.3` ... where it is taken."""
        candidate, count = name, 1
        while candidate in self._nodes:
            count += 1
            candidate = f"{name}.{count}"
        return candidate

    def prune(self) -> None:
        """Removes nodes that no output depends on, except inputs."""
        needed: set[str] = set()
        waiting = list(self.outputs)
        while waiting:
            node = self[waiting.pop()]
            if node.name not in needed:
                needed.add(node.name)
                waiting.extend(node.inputs)
        for name in [node.name for node in self._nodes.values() if node.name not in needed and node.op.arity != 0]:
            self._drop(name)

    def copy(self) -> Graph:
        """An independent graph with the same (immutable) nodes."""
        other = Graph(self.name)
        other.outputs = self.outputs
        other._nodes = dict(self._nodes)
        other._shapes = dict(self._shapes)
        other._places = None if self._places is None else dict(self._places)
        return other

    def rebuilt(self, change: Callable[[Graph, Node], str | None]) -> Graph:
        """A new graph from node to node: `change(new, node)` adds what stands for `node` and returns its name.

        The node it is given reads nodes of the new graph; None stands for "as it was".
        """
        made = Graph(self.name)
        names: dict[str, str] = {}
        for node in self:
            moved = replace(node, inputs=tuple(names[source] for source in node.inputs))
            names[node.name] = change(made, moved) or made.add(moved.name, moved.op, moved.inputs, moved.origin)
        made.outputs = tuple(names[output] for output in self.outputs)
        return made

    # -- inside -------------------------------------------------------------------------------------------------

    def _put(self, node: Node) -> None:
        with located(node):
            for source in node.inputs:
                if source not in self._nodes:
                    raise GraphError(f"input {source!r} is not in graph {self.name!r}")
            self._shapes[node.name] = _infer(node, [self._shapes[s] for s in node.inputs])
        before = self._nodes.get(node.name)
        self._nodes[node.name] = node
        if self._edges is not None:
            self._edges.add_node(node.name)
            self._edges.remove_edges_from([(source, node.name) for source in before.inputs] if before else [])
            self._edges.add_edges_from((source, node.name) for source in node.inputs)

    def _linked(self) -> nx.DiGraph[str]:
        """The edges."""
        if self._edges is None:
            self._edges = nx.DiGraph()
            self._edges.add_nodes_from(self._nodes)
            self._edges.add_edges_from((source, node.name) for node in self._nodes.values() for source in node.inputs)
        return self._edges

    def _drop(self, name: str) -> None:
        """Takes a node out that no other reads; the others stay in order."""
        del self._nodes[name], self._shapes[name]
        if self._edges is not None:
            self._edges.remove_node(name)
        if self._places is not None:
            del self._places[name]

    def _infer_after(self, name: str) -> None:
        """Infers the shapes of everything that depends on `name`, in an order in which all inputs are known."""
        below: set[str] = nx.descendants(self._linked(), name)  # pyright: ignore[reportUnknownMemberType]
        for node in self:
            if node.name in below:
                with located(node):
                    self._shapes[node.name] = _infer(node, [self._shapes[source] for source in node.inputs])

    def _sorted(self) -> dict[str, int]:
        """Places in topological order; of nodes that are ready together the one inserted first."""
        if self._places is None:
            serial = {name: i for i, name in enumerate(self._nodes)}
            edges = ((source, node.name) for node in self._nodes.values() for source in node.inputs)
            in_order = all(serial[source] < serial[name] for source, name in edges)
            self._places = serial if in_order else self._reordered(serial)
        return self._places

    def _reordered(self, serial: Mapping[str, int]) -> dict[str, int]:
        """Places where a node comes before one that it reads in the order of insertion."""
        try:
            order = list(nx.lexicographical_topological_sort(self._linked(), key=serial.__getitem__))
        except nx.NetworkXUnfeasible:
            raise GraphError(f"graph {self.name!r} has a cycle") from None
        return {name: place for place, name in enumerate(order)}


def _infer(node: Node, shapes: Iterable[Shape]) -> Shape:
    shapes = list(shapes)
    arity = node.op.arity
    if (arity is None and not shapes) or (arity is not None and len(shapes) != arity):
        raise GraphError(f"{arity or 'one or more'} inputs expected, found {len(shapes)}")
    return node.op.infer(*shapes)


def verify(graph: Graph) -> None:
    """Checks a whole graph again: acyclic, every shape as inferred, outputs there; raises `GraphError`."""
    if not graph.outputs:
        raise GraphError(f"graph {graph.name!r} has no outputs")
    for output in graph.outputs:
        _ = graph[output]
    for node in graph:
        with located(node):
            found = _infer(node, [graph.shape(source) for source in node.inputs])
            if found != graph.shape(node.name):
                raise GraphError(f"shape {found} expected, found {graph.shape(node.name)}")
