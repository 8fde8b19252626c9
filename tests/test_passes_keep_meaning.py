"""Structural passes leave what a network computes as it was: generated networks, evaluated before and after.

Tolerances: sums in another order differ by a few units in the last place of float64, far below 1e-9; generated
networks put no quotient between an exact tie and 1e-9 of one, so no count may change.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.ir import Graph, print_graph, verify
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import AveragePool, Clip, Dense, Encoder, Input, LeakyRelu, Quantise, Relu, Staircase, Unary
from onnx2snn.passes import (
    PASSES,
    STAIRCASES,
    FoldMoves,
    FoldSumpool,
    MergeLinear,
    OffsetStaircases,
    Pass,
    QuantiseActivations,
    run_passes,
)
from onnx2snn.reference import evaluate
from onnx2snn.testing.strategies import inputs, networks

STRUCTURAL: tuple[Pass, ...] = (*STAIRCASES, FoldSumpool(), FoldMoves())
TOLERANCE = 1e-9


def output(graph: Graph, x: Array) -> Array:
    values = evaluate(graph, x)
    return np.concatenate([values[name].reshape(len(x), -1) for name in graph.outputs], axis=1)


def up_to(step: Pass, graph: Graph) -> Graph:
    """The network as the standard recipe hands it to `step`."""
    names = [one.name for one in STRUCTURAL]
    return run_passes(graph, STRUCTURAL[: names.index(step.name)])


@pytest.mark.parametrize("step", STRUCTURAL, ids=lambda step: step.name)
@given(data=st.data())
def test_a_structural_pass_preserves_meaning(step: Pass, data: st.DataObject) -> None:
    graph = up_to(step, data.draw(networks(spellings=True, tails=True)))
    x = data.draw(inputs(graph))
    text = print_graph(graph)
    after = step(graph)
    assert print_graph(graph) == text, "a pass must not change its input"
    verify(after)
    np.testing.assert_allclose(output(after, x), output(graph, x), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("step", STRUCTURAL, ids=lambda step: step.name)
@given(data=st.data())
def test_a_pass_twice_is_the_pass_once(step: Pass, data: st.DataObject) -> None:
    once = step(up_to(step, data.draw(networks(spellings=True, tails=True))))
    twice = step(once)
    if isinstance(step, MergeLinear):  # merges what merging has made neighbours
        assert len(twice) <= len(once)
        return
    assert [(n.op.name, twice.shape(n.name)) for n in twice] == [(n.op.name, once.shape(n.name)) for n in once]


@pytest.mark.parametrize("step", STRUCTURAL, ids=lambda step: step.name)
@given(graph=networks(quantised_input=False, tails=True))
def test_networks_with_a_real_valued_input_pass_as_well(step: Pass, graph: Graph) -> None:
    given_graph = up_to(step, graph)
    x = np.random.default_rng(0).normal(0, 1, (3, *graph.shape("x")))
    expected, found = output(given_graph, x), output(step(given_graph), x)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


@given(data=st.data())
def test_the_whole_recipe_leaves_every_count_and_names_its_tensor(data: st.DataObject) -> None:
    graph = data.draw(networks(spellings=True))
    x = data.draw(inputs(graph))
    made = run_passes(graph, STAIRCASES)
    assert not made.of(Quantise, Relu, AveragePool, Unary, Clip, LeakyRelu)
    assert made.of(Encoder)
    np.testing.assert_allclose(output(made, x), output(graph, x), rtol=TOLERANCE, atol=TOLERANCE)
    before, after = evaluate(graph, x), evaluate(made, x)
    for node in [node for node in made.of(Staircase, Encoder) if node.origin.tensor]:
        np.testing.assert_allclose(after[node.name], before[node.origin.tensor], rtol=TOLERANCE, atol=TOLERANCE)


@given(data=st.data())
def test_lifted_counts_are_the_same_network_at_padded_borders_too(data: st.DataObject) -> None:
    graph = data.draw(networks(dyadic=False))  # without ties, whose direction may change
    x = data.draw(inputs(graph))
    x = x + np.random.default_rng(0).uniform(0, 1e-3, x.shape)
    recipe = list(STAIRCASES)
    recipe.insert([step.name for step in recipe].index("move-maxpool"), OffsetStaircases())
    made = run_passes(graph, recipe)
    assert all(node.op.lo >= 0 for node in made.of(Staircase) if isinstance(node.op, Staircase))
    np.testing.assert_allclose(output(made, x), output(graph, x), rtol=TOLERANCE, atol=TOLERANCE)


def test_every_pass_of_the_recipe_is_under_test() -> None:
    assert len(STRUCTURAL) >= 9
    calibration = {"quantise-weights", "quantise-activations", "shift-activations"}
    lossy = {"coarsen-staircases", "drop-requantisation", "offset-staircases"}
    neurons = {
        "map-neurons",
        "make-integer",
        "start-membranes",
        "inject-steps",
    }  # of spiking networks, tested elsewhere
    assert {step.name for step in STRUCTURAL} | calibration | lossy | neurons == set(PASSES)


@given(st.floats(0.1, 100), st.integers(1, 255), st.integers(0, 2**32 - 1))
def test_calibration_is_off_by_half_a_step_up_to_the_maximum(maximum: float, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = Graph()
    graph.add("x", Input(shape=(3,)))
    graph.add("fc", Dense(weight=rng.normal(0, 1, (4, 3))), ["x"])
    graph.outputs = (graph.add("relu", Relu(), ["fc"]),)
    made = QuantiseActivations(levels=levels, ranges={"relu": [0.0, maximum]})(graph)
    x = rng.normal(0, maximum, (5, 3))
    exact = np.minimum(output(graph, x), maximum)
    half = maximum / levels / 2
    assert np.abs(output(made, x) - exact).max() <= half * (1 + 1e-6)
