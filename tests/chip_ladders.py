"""Networks and helpers for code `ladder` on chips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chain_models import samples

from onnx2snn.artifact import Network
from onnx2snn.backends.chains import (
    ChainBackend,
)
from onnx2snn.backends.loihi import LoihiBackend
from onnx2snn.backends.tianjic import TianjicBackend
from onnx2snn.errors import BackendError
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Dense, Encoder, Input, Ladder, Readout
from onnx2snn.reference import run

CHIPS = {
    "loihi1": LoihiBackend(),
    "loihi2": LoihiBackend("loihi2"),
    "tianjicx": TianjicBackend(),
    "tianjic2019": TianjicBackend("tianjic2019"),
}
LOIHI, TIANJIC = CHIPS["loihi1"], CHIPS["tianjicx"]
FIRST, SECOND = "DequantizeLinear_3", "DequantizeLinear_5"


def tiny() -> Graph:
    """Two inputs, two neurons on the host with counts -1 to 2, one neuron on the chip with counts 0 to 2, one sum."""
    one = np.asarray(1)
    graph = Graph("tiny")
    graph.add("x", Input(shape=(2,)))
    graph.add("q", Encoder(scale=np.asarray(1.0), lo=0, hi=3, value=one), ["x"])
    graph.add("w1", Dense(weight=np.array([[2, -1], [1, 3]], np.int8)), ["q"])
    whole = {"value": one, "ties": "up"}
    graph.add("n1", Ladder(theta=np.array([4]), v0=np.array([2]), bias=np.array([0]), lo=-1, hi=2, **whole), ["w1"])
    graph.add("w2", Dense(weight=np.array([[3, -2]], np.int8)), ["n1"])
    graph.add("n2", Ladder(theta=np.array([6]), v0=np.array([3]), bias=np.array([1]), lo=0, hi=2, **whole), ["w2"])
    graph.add("w3", Dense(weight=np.array([[5]], np.int8)), ["n2"])
    graph.add("y", Readout(scale=np.array([0.5]), bias=np.array([1.0])), ["w3"])
    graph.outputs = ("y",)
    return graph


def written(backend: ChainBackend, network: Network, path: Path) -> Path:
    folder = path / f"tables-{backend.name}"
    folder.mkdir()
    backend.emit(network, folder)
    return folder


def compared(backend: ChainBackend, network: Network, path: Path) -> Any:
    """The emulator's run, equal to the reference's in every count and every output."""
    folder = written(backend, network, path)
    assert backend.audit(network, folder) == []
    x = samples(network)
    found, expected = backend.on_chip("ladder").emulator(folder).run(x), run(network.graph, x, 1, 0)
    assert list(found.counts) == list(expected.counts)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], counts)
        assert counts.min() < counts.mean() < counts.max()
    np.testing.assert_array_equal(found.output, expected.output)
    return found


def made(graph: Graph, network: Network) -> Network:
    return replace(network, graph=graph)


def broken(backend: ChainBackend, network: Network) -> str:
    with pytest.raises(BackendError) as caught:
        backend.check(network)
    return str(caught.value)


def changed(network: Network, name: str, **fields: Any) -> Network:
    graph = network.graph.copy()
    graph.replace(name, replace(graph[name].op, **fields))
    return replace(network, graph=graph)
