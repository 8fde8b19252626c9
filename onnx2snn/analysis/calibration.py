"""Clip ranges of real-valued activations, from their distribution on data.

Methods: `max`, the largest value seen (Diehl et al., "Fast-classifying, high-accuracy spiking deep networks through
weight and threshold balancing", IJCNN 2015); `percentile` (Rueckauer et al., "Conversion of continuous-valued deep
networks to efficient event-driven networks", Front. Neurosci. 2017: the 99.9th); `mse`, the range with the least
squared error of the staircase, searched on a grid of 95 candidates max (1 - 0.01 i) (Li et al., "A free lunch from
ANN: towards efficient, accurate spiking neural networks calibration", ICML 2021).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnx2snn.analysis.histogram import Histogram
from onnx2snn.errors import DataError, located
from onnx2snn.ir import Array, Graph, Node, Op
from onnx2snn.ir.ops import BatchNorm, Clip, Conv, Dense, Input, LeakyRelu, Quantise, Relu, Steps, Unary
from onnx2snn.reference import evaluate

Method = Literal["max", "percentile", "mse"]
METHODS: tuple[Method, ...] = ("max", "percentile", "mse")
ACTIVATIONS: tuple[type[Op], ...] = (Relu, Clip, LeakyRelu, Unary)  #: elementwise ops whose output is quantised
#: Functions that step by themselves.
STEPPED = ("ceil", "floor", "nonnegative", "positive", "round", "sign", "truncate")
BINS = 8192  #: on either side of zero, of a whole tensor: resolution of a 4096th of the largest value, or finer
CHANNEL_BINS = 2048  #: of one channel: resolution of a 1024th
CANDIDATES = 1 - 0.01 * np.arange(95)  #: of the search, as shares of the largest value
DIGITS = 6  #: significant digits of a fact: recipes stay readable, and no method is as precise


@dataclass(frozen=True)
class Range:
    """The values of one activation that a staircase is to cover: low <= 0 < high, () or (channels,) arrays."""

    low: Array
    high: Array


def sites(graph: Graph) -> tuple[str, ...]:
    """Names of the real-valued activations: those that no quantiser reads or, before a Relu, makes.

    Functions other than Relu and Clip count where weights follow; heads may stay real-valued.
    """
    weighted = _before_weights(graph)
    return tuple(
        node.name
        for node in graph.of(*ACTIVATIONS)
        if not _quantised(graph, node) and (isinstance(node.op, (Relu, Clip)) or node.name in weighted)
    )


def _before_weights(graph: Graph) -> set[str]:
    """Nodes that a Conv or Dense depends on."""
    found: set[str] = set()
    for node in reversed(list(graph)):
        if isinstance(node.op, (Conv, Dense)) or node.name in found:
            found.update(node.inputs)
    return found


def _quantised(graph: Graph, node: Node) -> bool:
    if isinstance(node.op, Unary) and node.op.function in STEPPED:
        return True
    readers = graph.consumers(node.name)
    if readers and all(isinstance(reader.op, (Quantise, Steps, *ACTIVATIONS)) for reader in readers):
        return True
    return isinstance(node.op, Relu) and isinstance(graph[node.inputs[0]].op, Quantise)


def channel_axis(graph: Graph, name: str) -> int:
    """The axis of a node's features that channels lie along: the last behind a Dense, else the first."""
    node = graph[name]
    while not isinstance(node.op, (Dense, Conv, BatchNorm, Input)) and graph.shape(node.inputs[0]) == graph.shape(name):
        node = graph[node.inputs[0]]
    return len(graph.shape(name)) - 1 if isinstance(node.op, Dense) else 0


def by_channel(values: Array, axis: int) -> Array:
    """Batched values (batch, *features) as (channels, the rest), channels along feature axis `axis`."""
    if values.ndim == 1:
        return values.reshape(1, -1)
    return np.moveaxis(values, axis + 1, 0).reshape(values.shape[axis + 1], -1)


def histograms(
    graph: Graph, batches: Iterable[Array], names: Iterable[str], per_channel: bool = False
) -> dict[str, Histogram]:
    """The distribution of every named node over all batches, in one pass over them; memory does not grow with them."""
    wanted = {name: channel_axis(graph, name) if per_channel and graph.shape(name) else None for name in names}
    found: dict[str, Histogram] = {}
    for name, axis in wanted.items():
        channels = 1 if axis is None else graph.shape(name)[axis]
        found[name] = Histogram(channels, BINS if axis is None else CHANNEL_BINS)
    for batch in batches:
        values = evaluate(graph, batch)
        for name, axis in wanted.items():
            with located(f"{graph[name]}"):
                found[name].add(values[name].reshape(1, -1) if axis is None else by_channel(values[name], axis))
    if any(not np.isfinite(histogram.high).all() for histogram in found.values()):
        raise DataError("calibration: one sample or more expected, found none")
    return found


def ranges(
    found: Mapping[str, Histogram], method: Method = "max", levels: int = 15, percentile: float = 99.9
) -> dict[str, Range]:
    """The clip range of each distribution.

    levels: steps of the staircase to come, which `mse` depends on.  percentile: share of values in percent that lie at
    or below `high`, and at or above `low` where there are negative ones. A channel that is never above zero takes the
    widest range of the others, a node without any the range 1; one whose percentile lies in the bin of zero keeps its
    largest value.
    """
    return {name: _range(histogram, method, levels, percentile) for name, histogram in found.items()}


def _range(histogram: Histogram, method: Method, levels: int, percentile: float) -> Range:
    widest = Range(np.minimum(histogram.low, 0.0), np.maximum(histogram.high, 0.0))
    if method == "percentile":
        low, high = np.minimum(histogram.quantile(1 - percentile / 100), 0.0), histogram.quantile(percentile / 100)
        chosen = Range(low, np.where(high > histogram.width, high, widest.high))
    else:
        chosen = widest
    alive = chosen.high > 0
    spare = chosen.high.max() if alive.any() else 1.0
    chosen = Range(chosen.low, np.where(alive, chosen.high, spare))
    if method == "mse":
        chosen = _least_error(histogram, chosen, levels)
    shape = () if len(chosen.high) == 1 else chosen.high.shape
    return Range(short(chosen.low).reshape(shape), short(chosen.high).reshape(shape))


def _least_error(histogram: Histogram, widest: Range, levels: int) -> Range:
    """Of the shares of the widest range the one with the least squared error, channel by channel.

    Values count as the middle of their bin, which adds the same to every candidate as long as steps are wider than
    bins; what lies outside the candidates' reach is clipped, as it will be.
    """
    part = slice(histogram.bins, None) if not histogram.low.min() < 0 else slice(None)
    x, counts = histogram.centres[:, part], histogram.counts[:, part]
    best, least = np.ones(len(x)), np.full(len(x), np.inf)
    for share in CANDIDATES:
        scale, lo, hi = grid(Range(widest.low * share, widest.high * share), levels)
        steps = np.broadcast_to(scale, len(x))[:, None]
        error = (counts * np.square(x - steps * np.clip(np.rint(x / steps), lo, hi))).sum(axis=1)
        best, least = np.where(error < least, share, best), np.minimum(error, least)
    return Range(widest.low * best, widest.high * best)


def grid(covered: Range, levels: int) -> tuple[Array, int, int]:
    """Scale, lo and hi of the staircase of `levels` steps over a range: steps below zero by the ratio of its sides.

    The scale is () or (channels,), and the least one with which both sides are covered.
    """
    low, high = float(covered.low.min()), float(covered.high.max())
    below = min(round(levels * -low / (high - low)), levels - 1)
    scale = covered.high / (levels - below)
    if below:
        scale = np.maximum(scale, -covered.low / below)
    return np.asarray(scale, np.float64), -below, levels - below


def short(values: Array) -> Array:
    """Numbers to a few significant digits."""
    return np.asarray([float(f"{value:.{DIGITS}g}") for value in values.ravel()]).reshape(values.shape)
