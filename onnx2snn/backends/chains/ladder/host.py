"""What the host does for each sample in code `ladder`: all before the first population, and its comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from onnx2snn.backends.chains.layers import LadderChain, Output, UnitPopulation
from onnx2snn.backends.chains.tables import Arrays, Record, Sizes
from onnx2snn.ir import Array, Graph, parse_graph, print_graph
from onnx2snn.ir.ops import Input
from onnx2snn.ir.text import external_arrays
from onnx2snn.reference import evaluate


class ComparatorsRecord(Record):
    """The host part of a tables file.

    name, shape: of the first population.  units: of each of its neurons; its counts are lo + units that pass.
    graph: the ops before it in the text form of the IR; its arrays are `host.graph/...`. Array `host.breakpoints`,
    int64 (units, neurons): a unit passes, and sends a spike, where the accumulator is at its breakpoint or above.
    """

    name: str
    shape: Sizes
    units: int
    lo: int
    graph: str


@dataclass(frozen=True)
class Comparators:
    """The first population on the host.  breakpoints: int64 (units, neurons)."""

    graph: Graph
    breakpoints: Array

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.graph.shape(self.graph.of(Input)[0].name)

    def passing(self, x: Array) -> Array:
        """How many units of each neuron pass, int32 (batch, neurons), for samples `x` (batch, *input shape)."""
        sums = evaluate(self.graph, x)[self.graph.outputs[0]].reshape(len(x), -1).astype(np.int64)
        return passed(sums, self.breakpoints)


def passed(sums: Array, breakpoints: Array) -> Array:
    """For sums (batch, neurons) and breakpoints (units, neurons): how many breakpoints each has reached, int32."""
    found = np.zeros_like(sums, np.int32)
    for row in breakpoints:
        found += sums >= row
    return found


def store_comparators(chain: LadderChain) -> tuple[ComparatorsRecord, dict[str, Array]]:
    """The host part as record and arrays."""
    first = chain.populations[0]
    arrays = {f"host.graph/{name}": array for name, array in external_arrays(chain.host).items()}
    arrays["host.breakpoints"] = first.breakpoints
    text = print_graph(chain.host)
    record = ComparatorsRecord(name=first.name, shape=first.shape, units=first.units, lo=first.lo, graph=text)
    return record, arrays


def load_comparators(record: ComparatorsRecord, arrays: Arrays) -> Comparators:
    """What `store_comparators` stored; raises `ArtifactError` or `GraphError` where it is damaged."""
    graph = parse_graph(record.graph, arrays.under("host.graph/"))
    return Comparators(graph, arrays.take("host.breakpoints", (record.units, int(np.prod(record.shape)))))


def load_chain(
    record: ComparatorsRecord, arrays: Arrays, on_chip: Iterable[UnitPopulation], output: Output
) -> LadderChain:
    """The chain of a stored host part and the layers on the chip; raises like `load_comparators`."""
    host = load_comparators(record, arrays)
    first = UnitPopulation(record.name, record.name, record.shape, None, host.breakpoints, record.lo)
    return LadderChain(host.graph, (first, *on_chip), output)
