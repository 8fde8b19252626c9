"""Loihi's registers: the arithmetic of one tick, as the chip does it."""

from __future__ import annotations

import numpy as np
import pytest
from data_folder import data_file

from onnx2snn.backends.chains import narrowed
from onnx2snn.backends.loihi.emulator import decay, integrate, lif, wrap


def test_a_silicon_trace_is_replayed() -> None:
    """1000 ticks of one neuron on the chip; at a spike its register shows 128 where the membrane is 0."""
    arriving, membrane, spikes = np.loadtxt(
        data_file("loihi", "lif_lava_loihi_fixed.csv"), delimiter=",", dtype=np.float64
    ).T
    u = v = np.zeros(1, np.int64)
    wrong = []
    for tick, (expected, spike) in enumerate(zip(membrane, spikes, strict=True)):
        before = arriving[tick - 1] if tick else 0
        u, v, fired = lif(u, v, np.array([10 * int(before)]), 0, decay_u=4096, decay_v=163, threshold=25)
        assert fired[0] == spike
        wrong += [tick] if v[0] != expected else []
    assert wrong == list(np.flatnonzero(spikes))
    assert len(wrong) == 4


def test_registers_decay_toward_zero_wrap_and_saturate() -> None:
    both = np.array([5, -5])
    assert decay(both, 1).tolist() == [4, -4]
    assert decay(both, 4096).tolist() == [0, 0]
    assert wrap(np.array([9753600, -9830400])).tolist() == [-7023616, 6946816]
    nothing = np.zeros(1, np.int64)
    u, v = integrate(nothing, nothing + (1 << 23) - 64, nothing + 3, 0, 4096, 0)
    assert (u[0], v[0]) == (192, (1 << 23) - 1)
    assert integrate(nothing, nothing, nothing - 3, 1 - (1 << 23), 4096, 0)[1][0] == 1 - (1 << 23)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("decays", [(4096, 0), (0, 0), (163, 4095)])
def test_a_tick_is_the_same_in_32_bits_and_in_64(sign: int, decays: tuple[int, int]) -> None:
    """At the ends of what is narrowed, as tables may bring it that no network has."""
    end = sign * np.array([(1 << 29) - 1])
    arriving = sign * np.array([(1 << 15) - 1])
    wide = integrate(-end, end, arriving, end, *decays)
    small = narrowed(end)
    narrow = integrate(-small, small, narrowed(arriving), small, *decays)
    assert [x.dtype for x in narrow] == [np.int32] * 2
    np.testing.assert_array_equal(narrow, wide)


@pytest.mark.parametrize("rate", [0, 1, 163, 2048, 4095, 4096])
def test_registers_decay_alike_in_32_bits_and_in_64(rate: int) -> None:
    most = (1 << 23) - 1
    x = np.concatenate([[-most, most], np.random.default_rng(0).integers(-most, most, 500)])
    expected = np.sign(x) * ((np.abs(x) * (4096 - rate)) >> 12)
    for kind in (np.int32, np.int64):
        found = decay(x.astype(kind), rate)
        assert found.dtype == kind
        np.testing.assert_array_equal(found, expected)
