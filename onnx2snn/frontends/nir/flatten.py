"""Graphs inside a graph written out: one level of nodes, and an order without cycles."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from onnx2snn.errors import ModelError
from onnx2snn.frontends.nir.file import Raw, RawGraph


def flat(graph: RawGraph) -> RawGraph:
    """The graph with the nodes of inner graphs, `outer.inner`, in place of these; their ends vanish."""
    nodes: dict[str, Raw | RawGraph] = {}
    edges, entries, exits = list(graph.edges), dict[str, str](), dict[str, str]()
    for name, node in graph.nodes.items():
        if isinstance(node, Raw):
            nodes[name] = node
            continue
        inner = flat(node)
        prefixed = {f"{name}.{key}": value for key, value in inner.nodes.items()}
        if prefixed.keys() & graph.nodes.keys():
            raise ModelError(f"node {name!r}: inner nodes with names of their own expected, found one that is taken")
        nodes |= prefixed
        edges += [(f"{name}.{source}", f"{name}.{target}") for source, target in inner.edges]
        entries[name] = f"{name}.{_end(name, inner, 'Input')}"
        exits[name] = f"{name}.{_end(name, inner, 'Output')}"
    joined = [(exits.get(source, source), entries.get(target, target)) for source, target in edges]
    for end in (*entries.values(), *exits.values()):
        joined = _without(joined, end)
        del nodes[end]
    return RawGraph(nodes, list(dict.fromkeys(joined)), graph.metadata)


def _end(name: str, graph: RawGraph, kind: str) -> str:
    found = [key for key, node in graph.nodes.items() if isinstance(node, Raw) and node.type == kind]
    if len(found) != 1:
        raise ModelError(f"node {name!r} (NIRGraph): one {kind} inside expected, found {len(found)}")
    return found[0]


def _without(edges: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    """The edges with those through `name` joined."""
    before = [source for source, target in edges if target == name]
    after = [target for source, target in edges if source == name]
    kept = [edge for edge in edges if name not in edge]
    return [*kept, *((source, target) for source in before for target in after)]


def in_order(graph: RawGraph) -> list[str]:
    """Names of the nodes, each after those it reads; raises `ModelError` for an edge to nowhere and for a ring."""
    sources: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        for end in (source, target):
            if end not in graph.nodes:
                raise ModelError(f"edge {source!r} -> {target!r}: nodes of the graph expected, found no {end!r}")
        sources[target].append(source)
    try:
        return list(TopologicalSorter(sources).static_order())
    except CycleError as error:
        ring = " -> ".join(reversed(error.args[1]))
        raise ModelError(
            f"recurrent connection {ring}: a graph without rings expected; layers run one after the other here, "
            "and what comes back to a layer would have to wait a step"
        ) from None
