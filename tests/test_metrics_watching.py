"""What watches are told: whatever the chunks and blocks, and the same as the reference step by step."""

from __future__ import annotations

import numpy as np
import pytest

from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.ir import Graph
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import IF, Dense, Encoder, Input, Neuron, Readout
from onnx2snn.metrics import Answers, Counters, Tally
from onnx2snn.metrics.answers import parse_exits
from onnx2snn.plugins import load_backend
from onnx2snn.reference import run, spiking
from onnx2snn.testing import CASES
from onnx2snn.testing.conformance import lowered, samples

BLOCKS = [(1, 1), (2, 3), (4, 7), (5, 50)]
CODES = ("st-bif", "signed-if", "if", "store-and-forward", "ladder")


class Record:
    """Keeps all that it is told, by tick."""

    def __init__(self) -> None:
        self.trains: dict[str, dict[int, Array]] = {}
        self.sums: dict[str, dict[int, Array]] = {}

    def begin(self, sample: int, x: Array) -> None: ...

    def spikes(self, name: str, tick: int, train: Array) -> None:
        self._keep(self.trains.setdefault(name, {}), tick, train)

    def readout(self, name: str, tick: int, sums: Array) -> None:
        self._keep(self.sums.setdefault(name, {}), tick, sums)

    def _keep(self, kept: dict[int, Array], tick: int, values: Array) -> None:
        assert tick > max(kept, default=-1), "each tick is told of once"
        kept.update(enumerate(values, tick))

    def advanced(self, tick: int, stop: int) -> None: ...

    def end(self, run: spiking.Run) -> None: ...


def simulator(graph: Graph, steps: int, settle: int | None, shape: tuple[int, int]) -> NumpySimulator:
    made = NumpySimulator(graph, steps, settle)
    made.samples, made.ticks = shape
    return made


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("case", ["conv-chain", "max-pool-later", "residual-add-of-unequal-scales", "two-outputs"])
def test_told_what_the_reference_does_at_every_tick(case: str, code: str) -> None:
    network = lowered(case, load_backend("numpy"), code, "integer")
    x, schedule, record = samples(network), network.schedule, Record()
    simulator(network.graph, schedule.steps, schedule.settle, (len(x), 4)).run(x, watch=record)
    assert record.trains
    assert record.sums
    reference = spiking._Network(network.graph, x, schedule.steps)
    for tick in range(1 + max(max(kept) for kept in record.sums.values())):
        reference.tick(tick)
        for node in network.graph.of(Neuron):
            fired = record.trains.get(node.name, {}).get(tick, 0)
            np.testing.assert_array_equal(reference.now[node.name], node.op.value * fired)  # type: ignore[attr-defined]
        for name, kept in record.sums.items():
            if tick in kept:
                np.testing.assert_array_equal(reference.sums[name], kept[tick])


def counted(graph: Graph, steps: int, settle: int | None, x: Array, y: Array, shape: tuple[int, int]) -> Counters:
    tally, answers = Tally(graph), Answers(graph, steps, y)
    simulated = simulator(graph, steps, settle, shape)
    simulated.run(x, watch=tally)
    simulated.run(x, watch=answers)
    return tally.counters | answers.counters


def trimmed(counters: Counters) -> dict[str, list[int]]:
    """Without the zeros at the end, which say how long a block was."""
    return {name: np.trim_zeros(values, "b").tolist() for name, values in counters.items()}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("case", ["conv-chain", "max-pool-later", "residual-add-of-unequal-scales", "softmax-head"])
def test_counters_depend_neither_on_chunks_nor_on_blocks(case: str, code: str) -> None:
    network = lowered(case, load_backend("numpy"), code, "integer")
    x, schedule = samples(network), network.schedule
    classes = network.graph.shape(network.graph.outputs[0])[0]
    y = np.arange(len(x)) % classes
    expected = counted(network.graph, schedule.steps, schedule.settle, x, y, (len(x), 10**6))
    assert expected["exit-steps"].any()
    for shape in BLOCKS:
        found = counted(network.graph, schedule.steps, schedule.settle, x, y, shape)
        assert trimmed(found) == trimmed(expected)


@pytest.mark.parametrize("case", CASES)
def test_the_last_answer_and_all_spikes_are_the_runs(case: str) -> None:
    network = lowered(case, load_backend("numpy"), "st-bif", "integer")
    x, schedule, tally = samples(network), network.schedule, Tally(network.graph)
    simulated = NumpySimulator(network.graph, schedule.steps, schedule.settle)
    found = simulated.run(x, watch=tally)
    expected = run(network.graph, x, schedule.steps, schedule.settle)
    for name, spikes in expected.spikes.items():
        assert tally.counters.get(f"spikes/{name}", np.zeros(1)).sum() == spikes
        down = int(tally.counters.get(f"down/{name}", np.zeros(1)).sum())
        assert spikes - 2 * down == expected.counts[name].sum()
    if Answers.fit(network.graph):
        answers = Answers(network.graph, schedule.steps, found.output.argmax(axis=1))
        simulated.run(x, watch=answers)
        assert answers.counters["agreeing"].sum() == answers.counters["correct"].sum() == len(x)


def small() -> Graph:
    """Two inputs of 0 to 4; two neurons with threshold 4, the second doubled; a readout of two classes with a bias."""
    graph = Graph()
    graph.add("x", Input(shape=(2,)))
    one = np.ones((), np.int64)
    graph.add("e", Encoder(scale=np.ones(()), lo=0, hi=4, value=one), ["x"])
    graph.add("d", Dense(weight=np.array([[1, 0], [0, 2]])), ["e"])
    graph.add("n", IF(theta=4 * one, v0=0 * one, bias=0 * one, value=one), ["d"])
    graph.add("w", Dense(weight=np.array([[1, 0], [0, 1]])), ["n"])
    graph.add("y", Readout(scale=np.ones(()), bias=np.array([1.0, 0.0])), ["w"])
    graph.outputs = ("y",)
    return graph


def test_small_network_by_hand() -> None:
    # input (4, 4): charge (4, 8) in 4 steps is (1, 2) a step; neuron 0 fires at tick 4, neuron 1 at ticks 2 and 4
    # readout with the bias (1, 0) in its share: (1/4, 0), (1/2, 1), (3/4, 1), (2, 2): answers 0, 1, 1, 0
    graph, x = small(), np.array([[4.0, 4.0]])
    tally = Tally(graph)
    NumpySimulator(graph, 4, 0).run(x, watch=tally)
    assert tally.counters["spikes/n"].tolist() == [0, 1, 0, 2]
    assert tally.counters["operations/n"].tolist() == [0, 2, 0, 4]  # two synapses each
    assert tally.counters["readout/n"].tolist() == [6]
    assert tally.counters["connected/n"].tolist() == [3]  # half of the weights are zero
    assert tally.counters["active/n"].tolist() == [4]
    assert tally.counters["active/e"].tolist() == [4]
    answers = Answers(graph, 4, np.array([1]), parse_exits("margin", "0.25,0.5,1"))
    NumpySimulator(graph, 4, 0).run(x, watch=answers)
    assert np.cumsum(answers.counters["correct"]).tolist() == [0, 1, 1, 0]
    assert np.cumsum(answers.counters["agreeing"]).tolist() == [1, 0, 0, 1]
    assert answers.counters["exit-steps"].tolist() == [1, 2, 0]
    assert answers.counters["exit-never"].tolist() == [0, 0, 1]
    assert answers.counters["exit-correct"].tolist() == [0, 1, 0]
    assert answers.counters["exit-agreeing"].tolist() == [1, 0, 1]


def test_confidence_by_hand() -> None:
    answers = Answers(small(), 4, exits=parse_exits("confidence", "0.6"))  # softmax of (1/2, 1): 0.62 at tick 2
    NumpySimulator(small(), 4, 0).run(np.array([[4.0, 4.0]]), watch=answers)
    assert answers.counters["exit-steps"].tolist() == [2]
