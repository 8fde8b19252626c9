"""The certificate: what it calls exact is exact, what it calls bounded keeps its bound, and tampering is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from onnx2snn.analysis.certificate import Certificate, Verdict, certify
from onnx2snn.analysis.lattice import Lattice, lattices
from onnx2snn.analysis.registers import width
from onnx2snn.errors import PassError
from onnx2snn.ir import Array, Graph, Node
from onnx2snn.ir.ops import STBIF, Affine, Conv, Dense, Encoder, Neuron, Readout, Staircase
from onnx2snn.passes import STAIRCASES, MakeInteger, MapNeurons, Recipe, run_passes
from onnx2snn.reference import Run, counts_of, evaluate, exact, neurons, run, settle_bound
from onnx2snn.testing.cases import CASES
from onnx2snn.testing.strategies import inputs, networks

Draw = Callable[[st.SearchStrategy[Any]], Any]


def spiking(stairs: Graph, steps: int, code: str = "st-bif", **limits: Any) -> Graph:
    """The integer network of a graph of staircases."""
    recipe: Recipe = (MapNeurons(code=code, steps=steps), MakeInteger(steps=steps, **limits))
    return run_passes(stairs, recipe)


@st.composite
def converted(draw: Draw, **options: Any) -> tuple[Graph, Graph, Graph, int]:
    """A trained network, its staircases, its integer spiking network, and how many steps it runs."""
    trained = draw(networks(**options))
    stairs = run_passes(trained, STAIRCASES)
    steps = draw(st.integers(1, 20))
    try:
        return trained, stairs, spiking(stairs, steps), steps
    except PassError as error:
        event(f"no integer form: {error.message}")
        assume(False)
        raise


def same_counts(stairs: Graph, found: Run, x: Array) -> None:
    """Every count of every population is the staircase's."""
    values = evaluate(stairs, x)
    for name, counts in found.counts.items():
        op = stairs[name].op
        assert isinstance(op, Staircase)
        np.testing.assert_array_equal(counts, counts_of(op, values[stairs[name].inputs[0]]), err_msg=name)
    expected = values[stairs.outputs[0]]
    np.testing.assert_allclose(found.output, expected, rtol=1e-9, atol=1e-9)


@given(st.data())
def test_a_network_called_exact_has_every_count(data: st.DataObject) -> None:
    trained, stairs, network, steps = data.draw(converted())
    certificate = certify(stairs, network, steps)
    event(f"exact: {certificate.exact}")
    assume(certificate.exact)
    assert certificate.proven == certificate.breakpoints > 0
    x = data.draw(inputs(trained))
    same_counts(stairs, run(network, x, steps), x)


@given(st.data())
def test_exact_up_to_where_it_is_not(data: st.DataObject) -> None:
    """Populations that only exact ones feed have the right counts, whatever the rest of the network does."""
    trained, stairs, network, steps = data.draw(converted())
    certificate = certify(stairs, network, steps)
    x = data.draw(inputs(trained))
    values, found = evaluate(stairs, x), run(network, x, steps)
    sound: set[str] = set()
    for node in network:
        good = certificate[node.name].exactness == "exact" or node.op.arity == 0
        if good and all(source in sound for source in node.inputs):
            sound.add(node.name)
            op = stairs[node.name].op if node.name in stairs else None
            if isinstance(node.op, Neuron) and isinstance(op, Staircase):
                expected = counts_of(op, values[stairs[node.name].inputs[0]])
                np.testing.assert_array_equal(found.counts[node.name], expected, err_msg=node.name)


@given(converted(dyadic=False, branches=False))
def test_chains_with_irregular_scales_are_always_exact(made: tuple[Graph, Graph, Graph, int]) -> None:
    _, stairs, network, steps = made
    assert certify(stairs, network, steps).exact


@given(st.data())
def test_real_arithmetic_comes_to_rest_where_integers_do(data: st.DataObject) -> None:
    """Steps are a power of two: equal parts of few-bit charges are then exact, and ties stay ties."""
    trained = data.draw(networks())
    stairs = run_passes(trained, STAIRCASES)
    steps = data.draw(st.sampled_from([1, 2, 4, 16]))
    x = data.draw(inputs(trained))
    same_counts(stairs, run(MapNeurons(steps=steps)(stairs), x, steps), x)


@given(st.data())
def test_real_arithmetic_is_called_analog_and_never_exact(data: st.DataObject) -> None:
    stairs = run_passes(data.draw(networks()), STAIRCASES)
    certificate = certify(stairs, MapNeurons()(stairs), 15)
    assert not certificate.exact
    assert {v.exactness for v in certificate.verdicts if v.op == "st-bif"} == {"analog"}


@given(networks(quantised_input=False, branches=False))
def test_a_real_valued_input_is_called_analog(trained: Graph) -> None:
    stairs = run_passes(trained, STAIRCASES)
    certificate = certify(stairs, spiking(stairs, 15), 15)
    first = next(v for v in certificate.verdicts if v.op == "st-bif")
    assert first.exactness == "analog"
    assert not certificate.exact


# -- bounds ---------------------------------------------------------------------------------------------------------


def accumulators(stairs: Graph, name: str) -> tuple[Array, Array, Array]:
    """Every accumulator value that reaches a staircase: unit, constant and values (number, *features)."""
    source = stairs[stairs[name].inputs[0]]
    offset = source.op.shift if isinstance(source.op, Affine) and source.op.scale is None else None
    place = lattices(stairs)[source.name]
    assert isinstance(place, Lattice)
    shape = stairs.shape(name)
    low, high = (np.broadcast_to(end, shape) for end in (place.low, place.high))
    values = np.arange(low.min(), high.max() + 1).reshape(-1, *(1,) * len(shape))
    return np.broadcast_to(place.unit, shape), np.zeros(()) if offset is None else offset, np.clip(values, low, high)


def errors_alone(stairs: Graph, node: Node) -> Array:
    """By how many counts a population at rest is off for every accumulator value there can be."""
    op, twin = node.op, stairs[node.name].op
    assert isinstance(op, STBIF)
    assert isinstance(twin, Staircase)
    unit, offset, values = accumulators(stairs, node.name)
    state = neurons.start(op, values.shape)
    neurons.step(op, state, values * (1 << op.shift) + exact(op.bias))
    while neurons.step(op, state, np.zeros_like(values)).any():
        pass
    return np.abs(state.n - counts_of(twin, unit * values + offset))


@settings(max_examples=25)
@given(st.data())
def test_a_bound_is_the_worst_error_there_is(data: st.DataObject) -> None:
    """On a grid too coarse, the certificate's bound is the largest error over all accumulator values, not more."""
    stairs = run_passes(data.draw(networks(dyadic=False, branches=False)), STAIRCASES)
    network = spiking(stairs, 15, shift=data.draw(st.integers(0, 2)))
    certificate = certify(stairs, network, 15)
    for node in network.of(STBIF):
        verdict = certificate[node.name]
        assert verdict.bound == errors_alone(stairs, node).max()
        assert (verdict.exactness == "exact") == (verdict.bound == 0) == (verdict.proven == verdict.breakpoints)


@given(st.data())
def test_no_membrane_leaves_the_register_it_is_promised(data: st.DataObject) -> None:
    trained, stairs, network, steps = data.draw(converted())
    x = data.draw(inputs(trained, batch=2))
    certificate = certify(stairs, network, steps)
    bits = {id(node.op): certificate[node.name].accumulator_bits for node in network.of(Neuron)}
    ends: dict[int, tuple[int, int]] = {}
    step = neurons.step

    def watched(op: Neuron, state: neurons.State, current: Array, constant: Array) -> Array:
        seen = [state.v, state.v + current]
        result = step(op, state, current, constant)
        seen.append(state.v)
        low, high = ends.get(id(op), (0, 0))
        ends[id(op)] = min(low, *(int(v.min()) for v in seen)), max(high, *(int(v.max()) for v in seen))
        return result

    with patch.object(neurons, "step", watched):
        run(network, x, steps)
    assert ends.keys() == bits.keys()
    for key, (low, high) in ends.items():
        assert -(1 << (bits[key] - 1)) <= low
        assert high < 1 << (bits[key] - 1)


def test_a_sum_needs_every_bit_it_is_given() -> None:
    """The worst input fills the register of a linear op: one bit less would overflow."""
    assert [width(np.array(a), np.array(b)) for a, b in ((-8, 7), (-8, 8), (-9, 0), (0, 0), (0, 127))] == [
        4,
        5,
        5,
        1,
        8,
    ]
    stairs = run_passes(small_chain(), STAIRCASES)
    certificate = certify(stairs, spiking(stairs, 7), 7)
    assert certificate["fc1"].accumulator_bits == width(np.array(-14), np.array(49)) == 7, "7 (3 + 4) and 7 (-2)"


# -- tampering ------------------------------------------------------------------------------------------------------


def changed(array: Array, place: int, amount: float) -> Array:
    copy = array.copy().reshape(-1)
    copy[place % copy.size] += amount
    return copy.reshape(array.shape)


def nodes_of(network: Graph, kind: type) -> list[Node]:
    return [node for node in network if isinstance(node.op, kind)]


@st.composite
def tampered(draw: Draw, network: Graph) -> Graph:
    """The network with one number changed that its certificate rests on."""
    other = network.copy()
    kind = draw(st.sampled_from([Conv, Dense, Encoder, Readout]))
    found = nodes_of(other, kind) or nodes_of(other, Encoder)
    node, place = draw(st.sampled_from(found)), draw(st.integers(0, 999))
    op = node.op
    if isinstance(op, (Conv, Dense)):
        weight = exact(op.weight)
        changes: dict[str, Any] = {"weight": changed(weight, place, draw(st.sampled_from([-1, 1, 5])))}
    elif isinstance(op, Encoder):
        what = draw(st.sampled_from(["scale", "lo", "hi", "rounding"]))
        last = np.nextafter(op.scale, np.inf)
        turned = "half-up" if op.rounding == "half-even" else "half-even"
        changes = {"scale": last, "lo": op.lo - 1, "hi": op.hi + 1, "rounding": turned}
        changes = {what: changes[what]}
    else:
        assert isinstance(op, Readout)
        what = draw(st.sampled_from(["scale", "bias"]))
        changes = {what: changed(getattr(op, what), place, 2.0**-20)}
    other.replace(node.name, replace(op, **changes))
    return other


@given(st.data())
def test_a_tampered_network_is_never_exact(data: st.DataObject) -> None:
    _, stairs, network, steps = data.draw(converted())
    assume(certify(stairs, network, steps).exact)
    assert not certify(stairs, data.draw(tampered(network)), steps).exact


@given(st.data())
def test_a_tampered_neuron_is_exact_only_where_no_count_changes(data: st.DataObject) -> None:
    """A threshold on a fine grid has room: what matters is that every accumulator value keeps its count."""
    _, stairs, network, steps = data.draw(converted(branches=False, dyadic=False))
    assume(certify(stairs, network, steps).exact)
    node = data.draw(st.sampled_from(network.of(STBIF)))
    op, place = node.op, data.draw(st.integers(0, 999))
    assert isinstance(op, STBIF)
    what = data.draw(st.sampled_from(["theta", "v0", "bias"]))
    array = getattr(op, what)
    amount = data.draw(st.sampled_from([-1, 1, 2, 1 << op.shift, -(1 << op.shift), int(op.theta.max()), 3]))
    assume(what != "theta" or (changed(array, place, amount) > 0).all())
    other = network.copy()
    other.replace(node.name, replace(op, **{what: changed(array, place, amount)}))
    verdict = certify(stairs, other, steps)[node.name]
    wrong = errors_alone(stairs, other[node.name]).max()
    event(f"counts change: {wrong > 0}")
    assert (verdict.exactness == "exact") == (wrong == 0)
    assert verdict.bound == wrong


@given(st.data())
def test_a_neuron_with_another_range_or_code_is_not_exact(data: st.DataObject) -> None:
    _, stairs, network, steps = data.draw(converted(branches=False, dyadic=False))
    node = data.draw(st.sampled_from(network.of(STBIF)))
    assert isinstance(node.op, STBIF)
    other = network.copy()
    other.replace(node.name, replace(node.op, hi=node.op.hi + 1))
    assert certify(stairs, other, steps)[node.name].exactness == "bounded"
    assert not certify(stairs, other, steps).exact


def test_a_shortcut_round_a_layer_is_seen() -> None:
    stairs = run_passes(small_chain(), STAIRCASES)
    network = spiking(stairs, 7)
    assert certify(stairs, network, 7).exact
    other = network.copy()
    other.replace("act2", other["act2"].op, [other["act2"].inputs[0]])
    other.replace("fc2", other["fc2"].op, ["q"])
    certificate = certify(stairs, other, 7)
    assert not certificate.exact
    assert "reads other values" in certificate["fc2"].reason


def test_a_multiplier_in_front_of_a_neuron_is_reckoned_with() -> None:
    stairs = run_passes(CASES["dense-chain"](), STAIRCASES)
    network = spiking(stairs, 7)
    name = network.of(Neuron)[1].name
    network.insert_before(name, Affine(scale=np.array([3])), "times")
    assert certify(stairs, network, 7)[name].exactness == "bounded"
    op = network[name].op
    assert isinstance(op, Neuron)
    even = op.theta * 3, op.v0 * 3, op.bias * 3
    network.replace(name, replace(op, theta=even[0], v0=even[1], bias=even[2]))
    assert certify(stairs, network, 7)[name].exactness == "exact"
    network.replace(network[name].inputs[0], Affine(scale=np.array([-3])))
    assert "multiplier below one" in certify(stairs, network, 7)[name].reason


def test_a_faulty_channel_is_listed_with_its_first_breakpoint() -> None:
    stairs = run_passes(small_chain(), STAIRCASES)
    network = spiking(stairs, 7)
    assert not certify(stairs, network, 7)["act1"].faults
    op = network["act1"].op
    assert isinstance(op, Neuron)
    network.replace("act1", replace(op, bias=op.bias + np.array([0, 2 * int(op.theta.max())])))
    verdict = certify(stairs, network, 7)["act1"]
    (fault,) = verdict.faults
    first = int(np.ceil((0.5 * 0.51 + 0.3) / (0.13 * 0.23)))
    assert (fault.channel, fault.count, fault.expected, fault.ties) == (1, 1, first, 0)
    assert fault.found < first
    assert fault.differing == verdict.breakpoints - verdict.proven > 0


def test_a_tie_that_goes_the_other_way_is_counted_as_one() -> None:
    stairs = run_passes(small_chain(), STAIRCASES)
    first, dense, last = (stairs[name].op for name in ("act1", "fc2", "act2"))
    assert isinstance(first, Staircase)
    assert isinstance(dense, Dense)
    assert isinstance(last, Staircase)
    stairs.replace("act1", replace(first, scale=np.asarray(0.5)))
    stairs.replace("fc2", replace(dense, scale=np.array([0.5, 0.5])))
    stairs.replace("act2", replace(last, scale=np.asarray(1.0), rounding="half-even"))  # 2 units of 4 are a tie
    network = spiking(stairs, 7)
    assert certify(stairs, network, 7)["act2"].exactness == "exact"
    neuron = network["act2"].op
    assert isinstance(neuron, STBIF)
    whole = {"theta": np.asarray(4), "v0": np.asarray(2), "bias": np.asarray(0)}
    network.replace("act2", replace(neuron, shift=0, ties="up", **whole))
    verdict = certify(stairs, network, 7)["act2"]
    assert sum(fault.ties for fault in verdict.faults) == verdict.breakpoints - verdict.proven > 0
    assert "by where a tie goes" in verdict.reason


def test_verdicts_in_words() -> None:
    stairs = run_passes(small_chain(), STAIRCASES)
    network = spiking(stairs, 7, code="if")
    verdict = certify(stairs, network, 7)["act2"]
    assert verdict.exactness == "bounded"
    assert verdict.reason == "code if depends on when spikes arrive: up to 2 spikes too many, 0 too few"
    assert verdict.bound == 2
    first = certify(stairs, network, 7, settle=0)["act1"]
    assert first.exactness == "exact", "constant input: an unsigned neuron climbs every step"
    other = network.copy()
    other.rename("act2", "another")
    assert certify(stairs, other, 7)["another"].reason == "the model has no staircase of this name"
    with pytest.raises(KeyError):
        _ = certify(stairs, network, 7)["nothing"]


def test_a_certificate_adds_up() -> None:
    verdicts = (Verdict("a", "st-bif", "exact", 4, 4), Verdict("b", "st-bif", "bounded", 3, 1, 2))
    certificate = Certificate(verdicts)
    assert (certificate.breakpoints, certificate.proven, certificate.exact) == (7, 5, False)
    assert Certificate(verdicts[:1]).exact


def small_chain() -> Graph:
    from onnx2snn.ir import parse_graph

    return parse_graph("""graph net {
      x : 2 = input(){shape=(2)}
      q : 2 = quantise(x){scale=f64[]{0.13}, zero_point=0, qmin=0, qmax=7}
      fc1 : 2 = dense(q){weight=i8[2,2]{1, -2, 3, 4}, scale=f64[2]{0.31, 0.23}, bias=f64[2]{0.4, -0.3}}
      act1 : 2 = quantise(fc1){scale=f64[]{0.51}, zero_point=0, qmin=0, qmax=7}
      fc2 : 2 = dense(act1){weight=i8[2,2]{2, -1, 1, 1}, scale=f64[2]{0.11, 0.29}}
      act2 : 2 = quantise(fc2){scale=f64[]{0.37}, zero_point=0, qmin=0, qmax=7}
      out : 2 = dense(act2){weight=i8[2,2]{1, 2, 3, 4}, scale=f64[2]{0.5, 0.7}}
      return out
    }""")


@pytest.mark.parametrize(
    ("code", "settle", "first"),
    [("if", 0, "exact"), ("if", 5, "bounded"), ("if", None, "bounded"), ("signed-if", 5, "bounded"),
     ("st-bif", 0, "exact"), ("st-bif", 7, "exact"), ("st-bif", None, "exact"), ("st-bif", 14, "exact")],
)  # fmt: skip
def test_the_schedule_decides_what_is_exact(code: str, settle: int | None, first: str) -> None:
    """Unbounded neurons go on firing while they settle; bounded ones are exact once they are silent for certain."""
    ann = CASES["conv-chain"]()
    reference = run_passes(ann, STAIRCASES)
    graph = run_passes(reference, (MapNeurons(code=code, steps=7), MakeInteger(steps=7)))
    assert settle_bound(graph, 7) == 14
    found = certify(reference, graph, 7, settle)
    verdicts = [v for v in found.verdicts if v.breakpoints]
    assert verdicts[0].exactness == first
    assert found.exact == (code == "st-bif" and settle in (None, 14))
    if settle is not None and code != "st-bif" and first == "bounded":
        assert verdicts[0].bound == settle, "a spike too many in every step after the last that the staircase has"
