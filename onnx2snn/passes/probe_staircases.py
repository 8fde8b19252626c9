"""Quantisers spelled in any other way: the function is asked where it steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from onnx2snn.analysis.bounds import bounds
from onnx2snn.analysis.jumps import Unclear
from onnx2snn.analysis.pointwise import Pointwise, between, roots
from onnx2snn.analysis.probing import Constant, Found, OwnSteps, Uniform, probe
from onnx2snn.errors import located
from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import (
    Affine,
    AveragePool,
    Clip,
    LeakyRelu,
    Maximum,
    Minimum,
    Multiply,
    Quantise,
    Relu,
    Staircase,
    Steps,
    Unary,
)
from onnx2snn.passes.base import Pass
from onnx2snn.passes.insert_staircases import keeps_steps
from onnx2snn.passes.placing import NUDGE, merged_front, put, staircase_ops

MOST_ROWS = 1 << 14  #: rows of parameters in one function
SPELLINGS: tuple[type[Op], ...] = (Unary, LeakyRelu, Multiply, Minimum, Maximum)
STEPPED: tuple[type[Op], ...] = (Quantise, Staircase, Steps)


@final
@dataclass(frozen=True)
class ProbeStaircases(Pass):
    """Turns elementwise functions that are staircases, however they are spelled, into staircases.

    given:   elementwise ops with constant parameters between one root (a synapse, a pool, the input) and a node that
             something else reads: floor(clip(x / s) + 1/2) s, max(x, 0.1 x) before a quantiser, x * hard-sigmoid(x) ...
    result:  [Affine] -> Staircase -> [Affine] where all steps are equal, Steps where they are not, a constant where
             there are none. Over a root whose range is known only that range counts. A function that is continuous or
             never saturates stays. What `insert-staircases` knows (Relu, Clip, Quantise side by side) is left to it,
             and an Affine with parameters of its own for each channel in front of everything to the synapse.
    """

    name: ClassVar[str] = "probe-staircases"

    def change(self, graph: Graph, notes: list[str]) -> Graph:
        origins = roots(graph)
        for name in [node.name for node in reversed(list(graph)) if origins[node.name] != node.name]:
            if name not in graph or not _leaves(graph, name, origins):
                continue
            function = between(graph, origins[name], name)
            if not _asks(function):
                continue
            with located(graph[name]):
                notes.append(_replace(graph, graph[name], function))
                graph.prune()
        return graph


def _leaves(graph: Graph, name: str, origins: dict[str, str]) -> bool:
    """Whether something outside the elementwise function reads the node.

    An Affine behind such a node stays what it is: one staircase serves both.
    """
    source = graph[name].inputs[0]
    if isinstance(graph[name].op, Affine) and source != origins[name] and _leaves(graph, source, origins):
        return False
    inside = {reader.name for reader in graph.consumers(name) if origins.get(reader.name) == origins[name]}
    return name in graph.outputs or any(reader.name not in inside for reader in graph.consumers(name))


def _asks(function: Pointwise) -> bool:
    """Whether the function holds an op that is neither linear nor a quantiser with its bounds beside it."""
    if any(isinstance(node.op, SPELLINGS) for node in function.nodes):
        return True
    if not any(isinstance(node.op, STEPPED) for node in function.nodes):
        return False
    if any(len(node.inputs) > 1 for node in function.nodes):
        return False
    return any(_stray(segment) for segment in _segments(function.nodes))


def _segments(nodes: tuple[Node, ...]) -> list[list[Op]]:
    """The ops of a chain between one Affine and the next."""
    segments: list[list[Op]] = [[]]
    for node in nodes:
        if isinstance(node.op, Affine):
            segments.append([])
        else:
            segments[-1].append(node.op)
    return segments


def _stray(segment: list[Op]) -> bool:
    """Whether a Relu or Clip stands beside no quantiser, or cuts behind one between two of its steps."""
    cuts = [op for op in segment if isinstance(op, (Relu, Clip))]
    stepped = [op for op in segment if isinstance(op, STEPPED)]
    quantisers = [op for op in stepped if isinstance(op, Quantise)]
    if not cuts or len(stepped) > 1:
        return False
    if not quantisers:
        return True
    behind = segment[segment.index(quantisers[0]) + 1 :]
    return not all(keeps_steps(op, quantisers[0]) for op in behind)


def _replace(graph: Graph, node: Node, function: Pointwise) -> str:
    spelling = " ".join(step.op.function if isinstance(step.op, Unary) else step.op.name for step in function.nodes)
    if int(np.prod(function.shape)) > MOST_ROWS:
        return f"{node}: {spelling}: more than {MOST_ROWS} rows of parameters, not probed"
    found = probe(function, function.shape)
    if isinstance(found, Unclear) and found.kind == "endless":
        found = _within(graph, function) or found
    if isinstance(found, Unclear):
        return f"{node}: {spelling}: {found.kind}, {found.reason}"
    _put(graph, node, function, found)
    return f"{node}: {spelling}: {_words(found)}"


def _within(graph: Graph, function: Pointwise) -> Found | None:
    """The function over the range of its root, where that is known; beyond it nothing has to be right."""
    known = bounds(graph, graph[function.root])
    if known is None:
        return None
    found = probe(lambda x: function(np.clip(x, *known)), function.shape)
    if isinstance(found, Uniform) and found.ties == "up" and isinstance(graph[function.root].op, AveragePool):
        return replace(found, offset=found.offset - NUDGE * found.width)  # a third of 3 k must not miss k
    return found


def _put(graph: Graph, node: Node, function: Pointwise, found: Uniform | OwnSteps | Constant) -> None:
    root = graph[function.root]
    if isinstance(found, Constant):
        graph.replace(node.name, Affine(scale=np.zeros(()), shift=np.asarray(found.value)), [root.name])
        return
    if isinstance(found, OwnSteps):
        op = Steps(breakpoints=found.breakpoints, heights=found.heights, base=found.base)
        graph.replace(node.name, op, [root.name])
        return
    ops = staircase_ops(found)
    if isinstance(root.op, Affine) and isinstance(ops[0], Affine) and _read_inside(graph, root, function):
        merged = merged_front(root.op, ops[0])
        put(graph, node.name, root.inputs[0], ops[1:] if merged is None else [merged, *ops[1:]])
    else:
        put(graph, node.name, root.name, ops)


def _read_inside(graph: Graph, root: Node, function: Pointwise) -> bool:
    inside = {node.name for node in function.nodes}
    return root.name not in graph.outputs and all(reader.name in inside for reader in graph.consumers(root.name))


def _words(found: Uniform | OwnSteps | Constant) -> str:
    if isinstance(found, Constant):
        return "a constant"
    if isinstance(found, OwnSteps):
        return f"{len(found.heights)} steps of its own"
    ties = {"up": "upward", "down": "downward", "even": "to the even count"}[found.ties]
    return f"{found.hi - found.lo} equal steps, counts {found.lo} to {found.hi}, ties {ties}"
