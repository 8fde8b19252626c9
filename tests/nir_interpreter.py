"""A NIR graph run with the reset and the initial potential that its metadata ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np

from onnx2snn.artifact import Network, Source
from onnx2snn.backends.nir import FILE
from onnx2snn.flow.conversion.convert import Conversion
from onnx2snn.flow.conversion.options import Options
from onnx2snn.ir import Array, Graph
from onnx2snn.ir.ops import Conv, Encoder, SumPool
from onnx2snn.plugins import load_backend
from onnx2snn.reference import apply
from onnx2snn.reference.windows import conv, sum_pool


def convert(graph: Graph, **options: Any) -> Network:
    """The network of a trained graph as the backend takes it."""
    chosen = Options(code="if", integer=False, **options)
    return Conversion(graph, Source("case.onnx", "0" * 64), chosen).lower(load_backend("nir"))


def read_and_run(network: Network, folder: Path, x: Array) -> tuple[Array, dict[str, Array]]:
    """Writes the network, checks the file against it, reads it with nir alone and runs what was read."""
    backend = load_backend("nir")
    backend.emit(network, folder)
    assert backend.audit(network, folder) == []
    encoders = network.graph.of(Encoder)
    encoded = apply(encoders[0].op, x.astype(np.float64)) if encoders else x.astype(np.float64)
    steps = network.schedule.steps
    return simulate(nir.read(str(folder / FILE)), encoded / steps, steps)


def pair(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(int(v) for v in np.broadcast_to(value, (rank,)))


def evaluate(node: Any, x: Array) -> Array:
    """One stateless NIR node on a batch."""
    if isinstance(node, (nir.Conv1d, nir.Conv2d)):
        rank = node.weight.ndim - 2
        op = Conv(
            weight=node.weight,
            strides=pair(node.stride, rank),
            pads=pair(node.padding, rank) * 2,
            dilations=pair(node.dilation, rank),
            groups=int(node.groups),
        )
        return conv(op, x, node.weight) + node.bias.reshape(-1, *(1,) * rank)
    if isinstance(node, nir.Affine):
        return x @ node.weight.T + node.bias
    if isinstance(node, nir.Scale):
        return x * node.scale
    if isinstance(node, nir.Flatten):
        return x.reshape(len(x), -1)
    assert isinstance(node, nir.SumPool2d)
    kernel, strides, pads = (pair(v, 2) for v in (node.kernel_size, node.stride, node.padding))
    return sum_pool(SumPool(kernel=kernel, strides=strides, pads=pads * 2, dilations=(1, 1)), x)


def simulate(graph: Any, current: Array, steps: int) -> tuple[Array, dict[str, Array]]:
    """Runs a NIR graph with the reset and initial potential that its metadata ask for."""
    sources: dict[str, list[str]] = {}
    for source, target in graph.edges:
        sources.setdefault(target, []).append(source)
    order: list[str] = []
    while len(order) < len(graph.nodes):
        order += [n for n in graph.nodes if n not in order and set(sources.get(n, [])) <= set(order)]
    v: dict[str, Array] = {}
    counts: dict[str, Array] = {}
    total = np.zeros(())
    for _ in range(steps):
        now: dict[str, Array] = {}
        for name in order:
            node = graph.nodes[name]
            x = sum((now[s] for s in sources.get(name, [])), np.zeros(()))
            if isinstance(node, nir.Input):
                now[name] = current
            elif isinstance(node, nir.IF):
                assert node.metadata["reset"] in ("subtract", b"subtract")
                before = v.get(name, np.broadcast_to(node.metadata["v0"], x.shape))
                now[name] = (before + x >= node.v_threshold).astype(float)
                v[name] = before + x - node.v_threshold * now[name]
                counts[name] = counts.get(name, 0) + now[name]
            elif isinstance(node, nir.Output):
                total = total + x
            else:
                now[name] = evaluate(node, x)
    return total, counts
