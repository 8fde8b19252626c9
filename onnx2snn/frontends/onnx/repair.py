"""Harmless disorder that exporters leave in ONNX files, put right in memory before anything is checked or run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx2snn.frontends.onnx.domains import domain_of

if TYPE_CHECKING:
    import onnx

OLDEST_IR = 4  #: from this version on, initialisers need not be inputs


def repair(proto: onnx.ModelProto) -> bool:
    """Changes the model in place where it is untidy but clear; returns whether it did.

    - one opset for each domain: the highest of several, `ai.onnx` spelled as the empty string, QONNX in one way
    - an opset for each domain that a node uses (version 1 of custom ones)
    - IR version 4 at least, and initialisers not listed as inputs: they are constants
    - nodes in an order in which each comes after those that it reads
    """
    versions: dict[str, int] = {}
    for entry in proto.opset_import:
        domain = domain_of(entry.domain)
        versions[domain] = max(entry.version, versions.get(domain, 0))
    spelled = [node for node in proto.graph.node if node.domain != domain_of(node.domain, node.op_type)]
    for node in spelled:
        node.domain = domain_of(node.domain, node.op_type)
    for node in proto.graph.node:
        if node.domain:
            versions.setdefault(node.domain, 1)
    changed = [(entry.domain, entry.version) for entry in proto.opset_import] != list(versions.items())
    if changed:
        proto.ClearField("opset_import")
        for domain, version in versions.items():
            proto.opset_import.add(domain=domain, version=version)
    if proto.ir_version < OLDEST_IR:
        proto.ir_version = OLDEST_IR
        changed = True
    constants = {tensor.name for tensor in proto.graph.initializer}
    listed = [value for value in proto.graph.input if value.name in constants]
    for value in listed:
        proto.graph.input.remove(value)
    return _sort(proto.graph) or changed or bool(spelled or listed)


def _sort(graph: onnx.GraphProto) -> bool:
    """Puts each node after those that it reads, near to the order of the file; returns whether any had to move.

    Nodes that never become ready (a cycle, a missing tensor) stay last, for the check to name.
    """
    unmade = {name for node in graph.node for name in node.output}
    waiting, ordered = list(graph.node), []
    moved = False
    while waiting:
        held = []
        for node in waiting:
            if unmade.isdisjoint(node.input):
                ordered.append(node)
                unmade.difference_update(node.output)
            else:
                held.append(node)
        if len(held) == len(waiting):
            break
        moved = moved or bool(held)
        waiting = held
    if moved:
        nodes = [type(node).FromString(node.SerializeToString()) for node in (*ordered, *waiting)]
        graph.ClearField("node")
        graph.node.extend(nodes)
    return moved
