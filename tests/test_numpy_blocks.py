"""The NumPy simulator in chunks of samples and blocks of ticks: nothing changes but the memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping

import numpy as np
import pytest

from onnx2snn.artifact import Network
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.backends.numpy.plan import Block
from onnx2snn.backends.numpy.walk import spread
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Neuron
from onnx2snn.plugins import load_backend
from onnx2snn.reference import Run
from onnx2snn.testing import CASES
from onnx2snn.testing.conformance import lowered, samples

CODES = ("if", "signed-if", "lif", "st-bif", "store-and-forward", "ladder")
EXACT = CODES[3:]
EVERYTHING = 1 << 40  #: bytes: all samples and ticks at once
BLOCKS = [(1, 1), (2, 1), (6, 2), (6, 3), (4, 7), (5, 50)]  #: samples, ticks
MIB = 2**20


def in_blocks(
    network: Network, shape: tuple[int, int] | None, given: Mapping[str, Array] | None = None, calibrate: int = 0
) -> Run:
    schedule = network.schedule
    simulator = NumpySimulator(network.graph, schedule.steps, schedule.settle, calibrate)
    x = samples(network)
    simulator.samples, simulator.ticks = shape or (len(x), simulator.plan.most)
    return simulator.run(x, given=given)


def same(found: Run, expected: Run) -> None:
    assert (found.steps, found.spikes) == (expected.steps, expected.spikes)
    for ours, theirs in zip(found.outputs, expected.outputs, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[name], counts)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("case", CASES)
def test_blocks_change_nothing(case: str, code: str) -> None:
    if code not in EXACT and case in ("signed-counts", "quantised-output"):
        pytest.skip("counts below zero take an exact code")
    network = lowered(case, load_backend("numpy"), code, "integer")
    expected = in_blocks(network, None)
    for shape in BLOCKS:
        same(in_blocks(network, shape), expected)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("case", ["conv-chain", "max-pool-later", "residual-add-of-unequal-scales"])
def test_blocks_change_no_count_of_a_real_valued_network(case: str, code: str) -> None:
    network = lowered(case, load_backend("numpy"), code, "float")
    expected = in_blocks(network, None)
    for shape in BLOCKS:
        found = in_blocks(network, shape)
        assert (found.steps, found.spikes) == (expected.steps, expected.spikes)
        np.testing.assert_allclose(found.output, expected.output, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("case", ["conv-chain", "max-pool-later", "residual-add-of-unequal-scales"])
def test_blocks_change_nothing_where_counts_are_given(case: str, code: str) -> None:
    network = lowered(case, load_backend("numpy"), code, "integer")
    random = np.random.default_rng(0)
    given = {name: random.integers(0, 8, counts.shape) for name, counts in in_blocks(network, None).counts.items()}
    for counts in given.values():
        counts.reshape(len(counts), -1)[:, 0] = 9  # trains take as many ticks as the largest count of a chunk
    expected = in_blocks(network, None, given)
    for shape in BLOCKS:
        same(in_blocks(network, shape, given), expected)


@pytest.mark.parametrize("calibrate", [4, 15])
def test_blocks_change_nothing_of_a_calibrated_run(calibrate: int) -> None:
    network = lowered("conv-chain", load_backend("numpy"), "if", "integer")
    expected = in_blocks(network, None, calibrate=calibrate)
    for shape in BLOCKS:
        same(in_blocks(network, shape, calibrate=calibrate), expected)


def neuron(code: str) -> Neuron:
    nodes = lowered("conv-chain", load_backend("numpy"), code, "integer").graph
    return next(node.op for node in nodes if isinstance(node.op, Neuron))


def test_a_ladder_is_given_its_count_in_its_one_tick() -> None:
    op = neuron("ladder")
    counts = np.arange(op.most_at_once + 1)[None]
    np.testing.assert_array_equal(spread(counts, op, 1, Block(0, 50)), counts[None])


def test_given_counts_are_spread_the_same_in_blocks() -> None:
    counts, op = np.arange(-9, 10)[None], neuron("signed-if")
    whole = spread(counts, op, 7, Block(0, 50))
    assert len(whole) == 9  # as many ticks as the largest count has spikes
    np.testing.assert_array_equal(whole.sum(axis=0), counts)
    pieces = [spread(counts, op, 7, Block(first, first + 4)) for first in range(0, 50, 4)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def peak(network: Network, steps: int, count: int, chunk_bytes: int) -> int:
    """Bytes that a run of `steps` inject steps and no settling takes above what was there before it."""
    simulator = NumpySimulator(network.graph, steps, 0, chunk_bytes=chunk_bytes)
    x = np.tile(samples(network), (count, *(1,) * len(network.input_shape)))[:count]
    tracemalloc.start()
    try:
        simulator.run(x)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("case", ["conv-chain", "max-pool-later", "residual-add-of-unequal-scales"])
def test_memory_grows_neither_with_steps_nor_with_samples(case: str) -> None:
    network = lowered(case, load_backend("numpy"), "st-bif", "integer")
    assert peak(network, 2000, 1, EVERYTHING) > 4 * peak(network, 400, 1, EVERYTHING)
    assert peak(network, 2000, 1, MIB // 2) < 1.2 * peak(network, 400, 1, MIB // 2)
    kept = sum(8 * int(np.prod(network.graph.shape(name))) for name in (*network.neurons, *network.graph.outputs))
    few, many = peak(network, 100, 6, MIB // 2), peak(network, 100, 60, MIB // 2)
    assert many < 1.2 * few + 2 * 54 * kept  # what is returned, twice while it is joined


@pytest.mark.parametrize("case", ["conv-chain", "dilated-grouped-conv", "max-pool-later", "concat"])
@pytest.mark.parametrize("arithmetic", ["integer", "float"])
def test_signals_take_what_they_are_allowed(case: str, arithmetic: str) -> None:
    network = lowered(case, load_backend("numpy"), "st-bif", arithmetic)
    few, allowed = peak(network, 400, 1, 1), 4 * MIB
    assert peak(network, 400, 1, allowed) - few < 1.1 * allowed
