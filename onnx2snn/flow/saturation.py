"""Samples that a quantised input cannot hold: values far beyond its range, as of images that were not normalised."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import MOVES, Affine, Encoder, Input, MaxPool
from onnx2snn.reference import apply, feed
from onnx2snn.words import amount

BEYOND = "beyond the range of its quantiser"  #: what every note holds
HALF = 0.5  #: share of values beyond the range from which on it is said
LOST = 0.25  #: share of the values themselves, summed without their signs, that is cut off
FEWEST = 3  #: levels of a quantiser with a range to leave; signs and ternary codes are made to cut


def saturation(graph: Graph, x: Array) -> tuple[str, ...]:
    """A note for each quantised input of a network of staircases or neurons that samples `x` (see `reference.feeding`)
    do not fit.

    A value is beyond the range, `lo scale` to `hi scale`, where it is past one of the ends by more than half a step.
    Some are with all data, where a range was chosen by percentile or least error; of a Gaussian input at two bits 5 %
    are, with 7 % of its mean size. A note is due from `HALF` of the values on, or `LOST` of their size.
    """
    given, found = feed(graph, x), dict[str, str]()
    for node in graph.of(Encoder):
        source, *path = _path(graph, node)
        if not isinstance(source.op, Input):
            continue  # a current behind real weights, read as whole numbers
        values = given[source.name]
        for step in path:
            values = apply(step.op, values)
        note = _note(node, values, len(x))
        if note:
            found.setdefault(source.origin.tensor or source.name, note)
    return tuple(f"input {name!r}: {note}" for name, note in found.items())


def _path(graph: Graph, encoder: Node) -> list[Node]:
    """What prepares the numbers that an encoder reads, and in front of that where they come from."""
    path = [graph[encoder.inputs[0]]]
    while isinstance(path[0].op, (Affine, MaxPool, *MOVES)):
        path.insert(0, graph[path[0].inputs[0]])
    return path


def _note(encoder: Node, values: Array, samples: int) -> str:
    op = encoder.op
    assert isinstance(op, Encoder)
    low, high = op.lo * op.scale, op.hi * op.scale
    past = np.maximum(np.maximum(low - values, values - high), 0)
    share = float((past > op.scale / 2).mean())
    size = float(np.abs(values).sum(dtype=np.float64))
    lost = float(past.sum(dtype=np.float64)) / size if size else 0.0
    if op.hi - op.lo < FEWEST or not share or (share < HALF and lost < LOST):
        return ""
    return (
        f"{100 * share:.3g} % of the values lie {BEYOND} ({amount(samples, 'sample')} looked at): "
        f"{low.min():.4g} to {high.max():.4g} expected, {values.min():.4g} to {values.max():.4g} found; "
        "were the samples normalised as in training?"
    )
