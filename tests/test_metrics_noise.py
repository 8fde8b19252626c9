"""Lost spikes, disturbed weights and thresholds: the right amount, and the same whatever the chunks and blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Conv, Dense, Neuron
from onnx2snn.metrics import Noise, SpikeLoss, perturbed, real
from onnx2snn.metrics.philox import philox
from onnx2snn.plugins import load_backend
from onnx2snn.reference import run
from onnx2snn.testing import CASES
from onnx2snn.testing.conformance import lowered, samples

SIGMAS = 5  #: standard deviations that a mean may be off


def words(*values: int) -> tuple[Array, Array, Array, Array]:
    a, b, c, d = (np.asarray(value) for value in values)
    return a, b, c, d


def test_philox_gives_the_known_answers() -> None:
    """Vectors `philox4x32 10` of Random123."""
    ones, pi = 0xFFFFFFFF, (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    assert philox(words(0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert philox(words(ones, ones, ones, ones), (ones, ones)) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    assert philox(words(*pi), (0xA4093822, 0x299F31D0)) == (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)


def train(seed: int, ticks: int = 6, batch: int = 5) -> Array:
    return np.random.default_rng(seed).integers(-3, 4, (ticks, batch, 2, 3)).astype(np.int8)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 5), st.integers(1, 4))
def test_thinning_does_not_depend_on_how_a_train_is_cut(seed: int, p: float, tick: int, sample: int) -> None:
    whole, loss = train(seed % 1000), SpikeLoss(p, {"n": 3}, seed, 1)
    thinned = loss.carry("n", 10, 20, whole)
    assert (np.abs(thinned) <= np.abs(whole)).all()
    assert (thinned * whole >= 0).all()
    rows = [
        np.concatenate(
            [
                loss.carry("n", 10 + start, 20, whole[:tick, start:stop]),
                loss.carry("n", 10 + start, 20 + tick, whole[tick:, start:stop]),
            ]
        )
        for start, stop in ((0, sample), (sample, 5))
    ]
    np.testing.assert_array_equal(np.concatenate(rows, axis=1), thinned)
    np.testing.assert_array_equal(replace(loss, first=10).carry("n", 0, 20, whole), thinned)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_each_of_several_spikes_is_lost_by_itself(p: float) -> None:
    size, count = 3, 20000
    thinned = SpikeLoss(p, {"n": 0}, seed=7).carry("n", 0, 0, np.full((1, 4, count // 4), -size, np.int8))
    kept = np.bincount(-thinned.reshape(-1), minlength=size + 1) / count
    expected = np.array([1, 3, 3, 1]) * (1 - p) ** np.arange(4) * p ** np.arange(3, -1, -1)
    assert (np.abs(kept - expected) <= SIGMAS * np.sqrt(expected * (1 - expected) / count)).all()


def test_what_is_not_named_keeps_its_spikes() -> None:
    loss, whole = SpikeLoss(1.0, {"n": 0}), train(0)
    assert loss.carry("m", 0, 0, whole) is whole
    assert not loss.carry("n", 0, 0, whole).any()
    np.testing.assert_array_equal(SpikeLoss(0.0, {"n": 0}).carry("n", 0, 0, whole), whole)


def test_repeats_seeds_and_populations_lose_other_spikes() -> None:
    whole = np.ones((1, 1, 64), np.int8)
    streams = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    losses = [SpikeLoss(0.5, {"n": number}, seed, repeat) for number, seed, repeat in streams]
    assert len({loss.carry("n", 0, 0, whole).tobytes() for loss in losses}) == 4


@pytest.mark.parametrize("code", ["st-bif", "if"])
def test_loss_is_the_same_in_chunks_and_blocks(code: str) -> None:
    network = lowered("residual-add-of-unequal-scales", load_backend("numpy"), code, "integer")
    x, schedule, noise = samples(network), network.schedule, Noise(drop=0.3, seed=4)
    found = []
    for shape in ((len(x), 1000), (1, 1), (2, 3), (4, 7)):
        simulator = NumpySimulator(network.graph, schedule.steps, schedule.settle, lossy=True)
        simulator.samples, simulator.ticks = shape
        found.append(simulator.run(x, channel=noise.loss(network.graph, 0, 0)))
    pieces = [NumpySimulator(network.graph, schedule.steps, schedule.settle, lossy=True) for _ in range(2)]
    halves = [
        simulator.run(x[cut], channel=noise.loss(network.graph, 0, cut.start))
        for simulator, cut in zip(pieces, (slice(0, 2), slice(2, len(x))), strict=True)
    ]
    for other in found[1:]:
        assert (other.steps, other.spikes) == (found[0].steps, found[0].spikes)
        np.testing.assert_array_equal(other.output, found[0].output)
    np.testing.assert_array_equal(np.concatenate([half.output for half in halves]), found[0].output)


def test_the_neuron_that_sent_it_does_not_know() -> None:
    network = lowered("conv-chain", load_backend("numpy"), "st-bif", "integer")
    x, schedule, graph = samples(network), network.schedule, network.graph
    noise = Noise(drop=1.0, drop_in=("encoder",))
    simulator = NumpySimulator(graph, schedule.steps, schedule.settle, lossy=True)
    clean, lossy = simulator.run(x), simulator.run(x, channel=noise.loss(graph, 0, 0))
    first, second, *_ = network.neurons
    np.testing.assert_array_equal(lossy.counts[first], clean.counts[first])
    assert clean.counts[first].any()
    assert np.ptp(lossy.counts[second].reshape(len(x), -1), axis=0).max() == 0  # nothing of the input arrives
    assert np.ptp(clean.counts[second].reshape(len(x), -1), axis=0).max() > 0


def test_an_exact_network_in_real_numbers_counts_the_same_but_for_ties() -> None:
    """Charge in equal real parts adds up with rounding errors, which decide ties: 32 of 22,902, measured."""
    different = total = 0
    for case in CASES:
        network = lowered(case, load_backend("numpy"), "st-bif", "integer")
        schedule, x = network.schedule, samples(network)
        whole, floating = (run(g, x, schedule.steps, schedule.settle) for g in (network.graph, real(network.graph)))
        for name, counts in whole.counts.items():
            different += np.count_nonzero(floating.counts[name] != counts)
            total += counts.size
    assert different <= total / 500, (different, total)


def test_noise_on_weights_and_thresholds_is_as_large_as_asked() -> None:
    graph = lowered("conv-chain", load_backend("numpy"), "st-bif", "integer").graph
    exact = real(graph)
    weights, thresholds = [], []
    for repeat in range(60):
        noisy = perturbed(graph, 0.1, 0.2, seed=3, repeat=repeat)
        for node in exact.of(Conv, Dense):
            ratio = noisy[node.name].op.weight / np.where(node.op.weight, node.op.weight, np.nan)  # type: ignore[attr-defined]
            weights.append(ratio[np.isfinite(ratio)])
        for node in exact.of(Neuron):
            thresholds.append((noisy[node.name].op.theta / node.op.theta).reshape(-1))  # type: ignore[attr-defined]
            assert noisy[node.name].op.v0 is node.op.v0 or (noisy[node.name].op.v0 == node.op.v0).all()  # type: ignore[attr-defined]
    for found, sigma in ((np.concatenate(weights), 0.1), (np.concatenate(thresholds), 0.2)):
        assert abs(found.mean() - 1) < SIGMAS * sigma / np.sqrt(len(found))
        assert abs(found.std() / sigma - 1) < SIGMAS / np.sqrt(2 * len(found))
    again = perturbed(graph, 0.1, 0.2, seed=3)
    assert again.equal(perturbed(graph, 0.1, 0.2, seed=3))
    assert not any(perturbed(graph, 0.1, 0.2, *other).equal(again) for other in ((4, 0), (3, 1)))
    assert perturbed(graph, 0, 0, seed=3).equal(exact)


def test_noise_says_what_is_wrong() -> None:
    graph = lowered("conv-chain", load_backend("numpy"), "st-bif", "integer").graph
    with pytest.raises(UnknownNameError, match="one of these expected: encoder; "):
        Noise(drop=0.1, drop_in=("nothing",)).loss(graph, 0, 0)
    wrong = ({"drop": 1.5}, {"weight": -1.0}, {"threshold": float("nan")}, {"seed": -1}, {"repeats": 0}, {"repeats": 2})
    for options in (*wrong, {"drop_in": ("encoder",)}):
        with pytest.raises(UsageError, match=r"expected|give"):
            Noise(**options)  # type: ignore[arg-type]


def test_populations_are_named_by_patterns() -> None:
    network = lowered("conv-chain", load_backend("numpy"), "st-bif", "integer")
    names = [node.name for node in network.graph.of(Neuron)]
    for pattern, chosen in ((f"{names[-1][:2]}*", names[-1][:2]), ("*", "")):
        loss = Noise(drop=0.5, drop_in=(pattern,)).loss(network.graph, 0, 0)
        assert loss is not None
        assert set(loss.numbers) == {name for name in names if name.startswith(chosen)}
