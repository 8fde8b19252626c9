"""Samples in pieces small enough that what is kept of each does not fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from onnx2snn.ir import Array, Graph

BATCH = 256  #: samples at most
VALUE_BYTES = 256 << 20  #: of the values of all nodes of a graph, eight bytes each, for one batch


def batches(x: Array, size: int) -> Iterator[Array]:
    """Consecutive pieces of at most `size` samples."""
    return (x[start : start + size] for start in range(0, len(x), size))


def batch_size(graph: Graph) -> int:
    """Samples whose counts are kept at once: `BATCH`, fewer where the network is large, one at least."""
    entries = sum(prod(graph.shape(node.name)) for node in graph)
    return max(1, min(BATCH, VALUE_BYTES // (8 * entries)))
