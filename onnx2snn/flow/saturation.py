"""Samples that do not fit a quantised input: values far beyond its range or all in a corner of it, not normalised."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import MOVES, Affine, Encoder, Input, MaxPool
from onnx2snn.reference import apply, feed
from onnx2snn.words import amount

ASK = "were the samples normalised as in training?"  #: how every note ends
HALF = 0.5  #: share of values beyond the range from which on it is said
LOST = 0.25  #: or what is cut off, as a share of how far values lie from their mean
FEWEST = 3  #: levels of a quantiser with a range to leave; signs and ternary codes are made to cut
CORNER = 5, 1 / 8  #: steps that samples should reach over, or which share of its steps where it has few


def saturation(graph: Graph, x: Array) -> tuple[str, ...]:
    """A note for each quantised input of a network of staircases or neurons that samples `x` (see `reference.feeding`)
    do not fit.

    A value is beyond the range, `lo scale` to `hi scale`, where it is past one of the ends by more than half a step.
    Some are with all data, where a range was chosen by percentile or least error; of a Gaussian input at two bits 5 %
    are, by 7 % of the mean deviation. A note is due from `HALF` of the values or `LOST` of their deviation on, and
    where all values, which are not the same, lie within the steps of `CORNER`.
    """
    given, found = feed(graph, x), dict[str, str]()
    for node in graph.of(Encoder):
        source, *path = path_to(graph, node)
        if not isinstance(source.op, Input):
            continue  # a current behind real weights, read as whole numbers
        values = given[source.name]
        for step in path:
            values = apply(step.op, values)
        wrong = _beyond(node, values) or _within(node, values)
        if wrong:
            low, high = _expected(node, path)
            values = given[source.name]
            note = (
                f"{wrong} ({amount(len(x), 'sample')} looked at): {low:.4g} to {high:.4g} expected, "
                f"{values.min():.4g} to {values.max():.4g} found; {ASK}"
            )
            found.setdefault(source.origin.tensor or source.name, note)
    return tuple(f"input {name!r}: {note}" for name, note in found.items())


def path_to(graph: Graph, encoder: Node) -> list[Node]:
    """What prepares the numbers that an encoder reads, and in front of that where they come from."""
    path = [graph[encoder.inputs[0]]]
    while isinstance(path[0].op, (Affine, MaxPool, *MOVES)):
        path.insert(0, graph[path[0].inputs[0]])
    return path


def _beyond(encoder: Node, values: Array) -> str:
    """That much is cut off, or ""."""
    op = encoder.op
    assert isinstance(op, Encoder)
    past = np.maximum(np.maximum(op.lo * op.scale - values, values - op.hi * op.scale), 0)
    share = float((past > op.scale / 2).mean())
    spread = float(np.abs(values - values.mean(dtype=np.float64)).sum())
    lost = float(past.sum()) / spread if spread else 0.0
    if op.hi - op.lo < FEWEST or not share or (share < HALF and lost < LOST):
        return ""
    return f"{100 * share:.3g} % of the values lie beyond the range of its quantiser"


def _within(encoder: Node, values: Array) -> str:
    """That all values lie in a corner of the range, or ""."""
    op = encoder.op
    assert isinstance(op, Encoder)
    levels, (most, share) = op.hi - op.lo, CORNER
    reach = float((values.max() - values.min()) / op.scale.max())
    if levels < FEWEST or not 0 < reach < min(most, levels * share):
        return ""
    return f"all values lie within {reach:.2g} of the {levels} steps of its quantiser"


def _expected(encoder: Node, path: list[Node]) -> tuple[float, float]:
    """The range of an encoder as values of the input, before what prepares them."""
    op = encoder.op
    assert isinstance(op, Encoder)
    low, high = float((op.lo * op.scale).min()), float((op.hi * op.scale).max())
    for step in reversed(path):
        if isinstance(step.op, Affine):
            scale, shift = (
                np.asarray(neutral if given is None else given)
                for given, neutral in ((step.op.scale, 1.0), (step.op.shift, 0.0))
            )
            ends = np.stack([(low - shift) / scale, (high - shift) / scale])
            low, high = float(ends.min()), float(ends.max())
    return low, high
