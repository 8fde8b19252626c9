"""Every rounding mode and range of a quantiser as staircases, against the quantiser itself."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.errors import PassError
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Affine, Clip, Input, Quantise, QuantiserRounding, Relu, Staircase
from onnx2snn.passes import InsertStaircases, insert_staircases
from onnx2snn.reference import evaluate

MODES = get_args(QuantiserRounding)
NEAR = np.array([-(2.0**-20), 0.0, 2.0**-20])


def network(op: Quantise, *before: Clip | Relu) -> Graph:
    graph = Graph()
    at = graph.add("x", Input(shape=(2,)))
    for bound in before:
        at = graph.add(graph.fresh("bound"), bound, [at])
    graph.outputs = (graph.add("q", op, [at]),)
    return graph


@pytest.mark.parametrize("rounding", MODES)
@given(lo=st.integers(-9, 9), levels=st.integers(1, 12), scale=st.sampled_from([0.25, 3.0, 0.1]), clip=st.booleans())
def test_every_mode_and_range(rounding: QuantiserRounding, lo: int, levels: int, scale: float, clip: bool) -> None:
    steps = np.array([scale, 2 * scale])
    op = Quantise(scale=steps, zero_point=3, qmin=lo + 3, qmax=lo + 3 + levels, rounding=rounding)
    graph = network(op, *[Clip(low=lo * scale * 2, high=np.inf)] * (clip and levels > 9 and lo < 0))
    made = InsertStaircases()(graph)
    assert not made.of(Quantise)
    assert len(made.of(Staircase)) <= 2
    counts = np.arange(4 * (lo - 2), 4 * (lo + levels + 3)) / 4
    exact = scale != 0.1  # 0.1 has no exact ties
    x = np.concatenate([counts + near for near in NEAR[:: 1 if exact else 2]])[:, None] * steps
    np.testing.assert_allclose(evaluate(made, x)["q"], evaluate(graph, x)["q"], rtol=1e-12, atol=1e-12)


def test_the_modes_are_told_apart() -> None:
    x = np.arange(-8, 9)[:, None] / 4 * np.ones(2)
    values = {
        mode: tuple(
            evaluate(
                InsertStaircases()(network(Quantise(scale=np.ones(()), zero_point=0, qmin=-4, qmax=4, rounding=mode))),
                x,
            )["q"][:, 0]
        )
        for mode in MODES
    }
    assert len(set(values.values())) == len(MODES) == 9


def test_a_wrong_pattern_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Staircase(scale=np.asarray(0.5), lo=0, hi=6)
    monkeypatch.setattr(insert_staircases, "branches", lambda op, lo, hi: [[wrong]])
    op = Quantise(scale=np.asarray(0.5), zero_point=0, qmin=0, qmax=7)
    with pytest.raises(PassError, match=r"q \(Quantise, made by a pass\): internal: at .* please report this"):
        InsertStaircases()(network(op))


def test_a_wrong_tie_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Staircase(scale=np.asarray(0.5), lo=0, hi=7, rounding="half-up")
    monkeypatch.setattr(insert_staircases, "branches", lambda op, lo, hi: [[wrong]])
    with pytest.raises(PassError, match=r"internal: at 0\.25 "):
        InsertStaircases()(network(Quantise(scale=np.asarray(0.5), zero_point=0, qmin=0, qmax=7)))


def test_bounds_that_leave_one_value() -> None:
    op = Quantise(scale=np.asarray(0.5), zero_point=0, qmin=0, qmax=7)
    with pytest.raises(PassError, match=r"leave one value, 0 steps; a range expected"):
        InsertStaircases()(network(op, Clip(low=-1.0, high=0.1)))


def test_a_shift_behind_is_there_for_ranges_above_zero() -> None:
    made = InsertStaircases()(network(Quantise(scale=np.asarray(0.5), zero_point=0, qmin=2, qmax=7)))
    (end,) = made.of(Affine)[-1:]
    assert end.name == "q"
    assert isinstance(end.op, Affine)
    assert end.op.shift == 1.0
