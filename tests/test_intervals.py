"""Ranges of weighted sums against every weight looked at by itself."""

from __future__ import annotations

import numpy as np
import pytest

from onnx2snn.analysis import intervals
from onnx2snn.analysis.intervals import interval
from onnx2snn.ir import Array
from onnx2snn.ir.ops import Conv, Dense


def expected(weight: Array, least: Array, most: Array, groups: int) -> tuple[list[int], list[int]]:
    """Output by output: the worst end of every input, taken together."""
    low, high = [], []
    for o, kernel in enumerate(weight):
        group = o // (len(weight) // groups)
        ends = [(0, 0)]
        for i, entries in enumerate(kernel):
            c = group * weight.shape[1] + i
            for w in entries.ravel():
                products = int(w) * min(int(least[c]), 0), int(w) * max(int(most[c]), 0)
                ends.append((min(products), max(products)))
        low.append(sum(e[0] for e in ends))
        high.append(sum(e[1] for e in ends))
    return low, high


@pytest.mark.parametrize("kind", [np.int8, np.int64])
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("uniform", [True, False])
@pytest.mark.parametrize("block", [1, 1 << 18])
def test_convolution(kind: type, groups: int, uniform: bool, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "BLOCK", block)
    rng = np.random.default_rng(groups)
    weight = rng.integers(-128, 128, (12, 6 // groups, 3, 2)).astype(kind)
    op = Conv(weight=weight, strides=(1, 1), pads=(0,) * 4, dilations=(1, 1), groups=groups)
    low, high = rng.integers(-9, 3, (6, 1, 1)), rng.integers(3, 255, (6, 4, 4))
    if uniform:
        low, high = np.asarray(-3), np.asarray(255)
    found = interval(op, low, high, (6, 4, 4))
    ends = np.broadcast_to(low, (6, 4, 4)).min(axis=(1, 2)), np.broadcast_to(high, (6, 4, 4)).max(axis=(1, 2))
    for end, wanted in zip(found, expected(weight, *ends, groups), strict=True):
        assert end.shape == (12, 1, 1)
        assert end.ravel().tolist() == wanted


@pytest.mark.parametrize("inputs", [5, 150_000, 18_000_000])
def test_dense(inputs: int) -> None:
    """The longer rows add up to more than float32 holds exactly, the longest to more than int32 holds."""
    weight = np.full((2, inputs), 127, np.int8)
    weight[:, ::30] = -126
    found = interval(Dense(weight=weight), np.asarray(-1), np.asarray(3), (4, inputs))
    plus, minus = int(weight[0][weight[0] > 0].sum(dtype=np.int64)), int(weight[0][weight[0] < 0].sum(dtype=np.int64))
    assert [end.tolist() for end in found] == [[3 * minus - plus] * 2, [3 * plus - minus] * 2]
