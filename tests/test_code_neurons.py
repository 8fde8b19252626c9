"""The neurons of the codes by their definition: one population, step by step."""

from __future__ import annotations

import numpy as np
from code_neurons import whole
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.ir import Array
from onnx2snn.ir.ops import IF, LIF, Ladder, Neuron, StoreAndForward
from onnx2snn.reference import neurons

thetas, starts = st.integers(1, 40), st.integers(-60, 60)
lows, highs, ties = st.integers(-6, 0), st.integers(1, 9), st.sampled_from(["up", "even"])


def count(charge: int, theta: int, v0: int, lo: int, hi: int, even: bool) -> int:
    """The staircase of a charge, in plain whole numbers."""
    steps, left = divmod(v0 + charge, theta)
    if even and not left and steps % 2:
        steps -= 1
    return min(max(steps, lo), hi)


def trains(op: Neuron, charges: Array, ticks: int) -> Array:
    """Spikes (ticks, n) of neurons that get the rows of `charges`, then nothing."""
    state = neurons.start(op, charges.shape[1:])
    nothing = np.zeros_like(charges[0])
    return np.stack([neurons.step(op, state, charges[t] if t < len(charges) else nothing) for t in range(ticks)])


@given(thetas, starts, lows, highs, ties)
def test_a_ladder_sends_the_count_at_once(theta: int, v0: int, lo: int, hi: int, tie: str) -> None:
    op = whole(Ladder, theta, v0, lo=lo, hi=hi, ties=tie)
    charge = np.arange(-500, 500)[None]
    train = trains(op, charge, 3)
    expected = [count(int(q), theta, v0, lo, hi, tie == "even") for q in charge[0]]
    assert train[0].tolist() == expected
    assert not train[1:].any()


@given(thetas, starts, lows, highs, ties, st.integers(0, 99))
def test_a_ladder_with_several_steps_sends_differences(
    theta: int, v0: int, lo: int, hi: int, tie: str, seed: int
) -> None:
    op = whole(Ladder, theta, v0, lo=lo, hi=hi, ties=tie)
    charges = np.random.default_rng(seed).integers(-50, 60, (4, 30))
    train = trains(op, charges, 4)
    for t in range(4):
        totals = charges[: t + 1].sum(axis=0)
        assert train[: t + 1].sum(axis=0).tolist() == [count(int(q), theta, v0, lo, hi, tie == "even") for q in totals]


@given(thetas, starts, starts, lows, highs, ties, st.integers(0, 3))
def test_units_pass_at_their_thresholds(theta: int, v0: int, bias: int, lo: int, hi: int, tie: str, shift: int) -> None:
    op = whole(Ladder, theta, v0, bias=np.asarray(bias), lo=lo, hi=hi, ties=tie, shift=shift)
    places = op.unit_thresholds()
    assert places.shape == (hi - lo,)
    for x in range(-120, 120):
        assert lo + int((places <= x).sum()) == count((x << shift) + bias, theta, v0, lo, hi, tie == "even")


def test_unit_thresholds_of_real_neurons_and_of_channels() -> None:
    arrays = {"v0": np.array(0.5), "bias": np.array([[0.25], [-1.0]]), "value": np.ones(())}
    op = Ladder(theta=np.ones(()), **arrays, lo=-1, hi=2, ties="even")
    found = op.unit_thresholds()
    assert found.shape == (3, 2, 1)
    assert found[:, 0, 0].tolist() == [-0.75, np.nextafter(0.25, 1), 1.25]
    assert found[:, 1, 0].tolist() == [0.5, np.nextafter(1.5, 2), 2.5]


@given(thetas, starts, lows, highs, ties, st.integers(1, 6), st.integers(0, 99))
def test_stored_charge_goes_out_as_one_unary_train(
    theta: int, v0: int, lo: int, hi: int, tie: str, opens: int, seed: int
) -> None:
    """The proof in the docstring: |n| spikes of one sign in a row, and no more."""
    op = whole(StoreAndForward, theta, v0, lo=lo, hi=hi, ties=tie, opens=opens)
    charges = np.random.default_rng(seed).integers(-90, 100, (opens, 50))
    train = trains(op, charges, opens + op.window + 2)
    expected = np.array([count(int(q), theta, v0, lo, hi, tie == "even") for q in charges.sum(axis=0)])
    assert not train[:opens].any()
    after = np.arange(len(train) - opens)[:, None] < np.abs(expected)
    np.testing.assert_array_equal(train[opens:], np.where(after, np.sign(expected), 0))


@given(thetas, starts, lows, highs, ties, st.integers(0, 9), st.integers(0, 99))
def test_charge_that_comes_late_is_counted_all_the_same(
    theta: int, v0: int, lo: int, hi: int, tie: str, opens: int, seed: int
) -> None:
    op = whole(StoreAndForward, theta, v0, lo=lo, hi=hi, ties=tie, opens=opens)
    charges = np.random.default_rng(seed).integers(-30, 40, (6, 50))
    train = trains(op, charges, max(6, opens) + hi - lo)
    expected = [count(int(q), theta, v0, lo, hi, tie == "even") for q in charges.sum(axis=0)]
    assert train.sum(axis=0).tolist() == expected


@given(thetas, starts, st.integers(0, 4096), st.sampled_from(["subtract", "zero"]), st.integers(0, 99))
def test_a_leak_is_cut_toward_zero_in_whole_numbers(theta: int, v0: int, decay: int, reset: str, seed: int) -> None:
    op = whole(LIF, theta, v0, decay=decay / 4096, reset=reset)
    charges = np.random.default_rng(seed).integers(-30, 60, (9, 1))
    v, expected = v0, []
    for (charge,) in charges.tolist():
        v = (abs(v) * decay // 4096) * (1 if v > 0 else -1) + charge
        spike = int(v >= theta)
        v = 0 if spike and reset == "zero" else v - theta * spike
        expected.append(spike)
    assert trains(op, charges, 9)[:, 0].tolist() == expected


@given(thetas, starts, st.integers(0, 99))
def test_without_a_leak_it_is_the_integrate_and_fire_neuron(theta: int, v0: int, seed: int) -> None:
    charges = np.random.default_rng(seed).integers(-30, 60, (9, 20))
    leaky, plain = whole(LIF, theta, v0, decay=1.0), whole(IF, theta, v0)
    np.testing.assert_array_equal(trains(leaky, charges, 12), trains(plain, charges, 12))


def test_membranes_of_62_bits_leak_exactly() -> None:
    big = (1 << 61) + 12345
    op = whole(LIF, 1 << 20, 0, decay=3686 / 4096)
    assert neurons.decayed(np.array([big, -big]), op.decay, op.integer).tolist() == [
        big * 3686 >> 12,
        -(big * 3686 >> 12),
    ]
