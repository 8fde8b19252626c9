"""Staircases with more levels than there are steps, and what a code without upper bound makes of them.

Such a neuron fires at most once a step, so that its spikes stand for several levels each: hi / steps (the rule of QCFS,
see pass map-neurons).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Neuron, Staircase


def too_fine(reference: Graph, network: Graph, steps: int) -> dict[str, Staircase]:
    """Staircases with more levels than steps that stand for neurons without an upper bound."""
    found: dict[str, Staircase] = {}
    for node in reference.of(Staircase):
        twin = network.get(node.name)
        unbounded = twin is not None and isinstance(twin.op, Neuron) and twin.op.range[1] is None
        if isinstance(node.op, Staircase) and unbounded and node.op.hi > steps:
            found[node.name] = node.op
    return found


def coarsened(reference: Graph, fine: Mapping[str, Staircase], steps: int) -> Graph:
    """The reference with those staircases climbed in `steps` steps of hi / steps levels, as MapNeurons has them."""
    graph = reference.copy()
    for name, op in fine.items():
        coarser = op.hi / steps
        graph.replace(name, replace(op, scale=op.scale * coarser, lo=-int(-op.lo // coarser), hi=steps))
    return graph


def spike_worth(reference: Graph, network: Graph, steps: int) -> dict[str, float]:
    """Levels that one spike of each population stands for."""
    fine = too_fine(reference, network, steps)
    return {node.name: fine[node.name].hi / steps if node.name in fine else 1.0 for node in network.of(Neuron)}
