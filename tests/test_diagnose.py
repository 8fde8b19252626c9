"""Diagnosis: on networks built so that the cause is known, and its promises on random ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import one_line, onnx2snn
from hypothesis import assume, event, given
from hypothesis import strategies as st
from models import lenet

from onnx2snn.analysis.causes import CAUSES, TIMING, Given, causes
from onnx2snn.artifact import Schedule
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.errors import PassError
from onnx2snn.flow.verification.charges import charges
from onnx2snn.flow.verification.diagnose import Diagnoser, Measure
from onnx2snn.flow.verification.findings import Diagnosis, LayerDiagnosis
from onnx2snn.flow.verification.reference import Truth, exact_counts
from onnx2snn.ir import Array, Graph, parse_graph
from onnx2snn.ir.ops import STBIF, Dense, Staircase
from onnx2snn.passes import CODES, STAIRCASES, AddReadouts, MakeInteger, MapNeurons, run_passes
from onnx2snn.plugins import load_backend
from onnx2snn.reference import settle_bound
from onnx2snn.testing.strategies import inputs, networks

Draw = Callable[[st.SearchStrategy[Any]], Any]
EARLY_AND_LATE = [8.0, 2.0]  #: a0 fires in the first and third of four steps, a1 in the last


def stairs(weights: tuple[int, int], top: int = 4) -> Graph:
    """Population a of two neurons, both with threshold 4, and b of one, which reads them through `weights`."""
    graph = parse_graph(f"""graph net {{
      x : 2 = input(){{shape=(2)}}
      q : 2 = encoder(x){{scale=f64[]{{1}}, lo=0, hi=8, value=f64[]{{1}}}}
      fc1 : 2 = dense(q){{weight=i8[2,2]{{1, 0, 0, 1}}, scale=f64[2]{{1, 1}}}}
      a : 2 = staircase(fc1){{scale=f64[]{{4}}, lo=0, hi=4, rounding="half-up"}}
      fc2 : 1 = dense(a){{weight=i8[1,2]{{{weights[0]}, {weights[1]}}}, scale=f64[1]{{1}}}}
      b : 1 = staircase(fc2){{scale=f64[]{{4}}, lo=0, hi={top}, rounding="half-up"}}
      out : 1 = dense(b){{weight=i8[1,1]{{1}}, scale=f64[1]{{1}}}}
      return out
    }}""")
    return AddReadouts()(graph)


def diagnosed(
    reference: Graph, x: Array, code: str, steps: int = 4, settle: int | None = 0, model: dict[str, Array] | None = None
) -> Diagnosis:
    network = MapNeurons(code=code, steps=steps)(reference)
    return diagnosed_as(reference, network, x, code, Schedule(steps, settle), model)


def diagnosed_as(
    reference: Graph, network: Graph, x: Array, code: str, schedule: Schedule, model: dict[str, Array] | None = None
) -> Diagnosis:
    found = Diagnoser(reference, network, schedule, code, integer=False, backend=load_backend("numpy"))
    measure, counts = found.measure, model or exact_counts(reference, x)
    found.add(x, Truth((), counts), measure.run(x)[0], measure.run(x, measure.forced(counts))[0])
    return found.finish()


def named(layer: LayerDiagnosis) -> dict[str, int]:
    return {cause: number for cause, number in layer.network.items() if number}


@pytest.mark.parametrize(
    ("weights", "top", "code", "steps", "cause"),
    [
        ((0, 2), 4, "if", 4, "late"),  # charge for two spikes comes in the last step
        ((1, -2), 4, "if", 4, "irreversible"),  # charge for two spikes comes first, and is taken away in the last step
        ((1, -2), 4, "signed-if", 4, "late"),  # a negative spike at every step after it would mend it
        ((2, 0), 2, "if", 4, "clipping"),  # charge for four spikes where two are the most
    ],
)
def test_the_cause_of_a_built_case(weights: tuple[int, int], top: int, code: str, steps: int, cause: str) -> None:
    found = diagnosed(stairs(weights, top), np.array([EARLY_AND_LATE]), code, steps)
    first, second = found.layers
    assert named(first) == {}
    assert named(second) == {cause: 1}
    assert second.advice.startswith("b loses, of its counts, 100 % to ")
    assert "--code st-bif: none differs" in second.advice


def test_alone_a_population_is_fed_evenly() -> None:
    """One spike of two levels' charge: late in the network, in the middle of the run where it is spread evenly."""
    found = diagnosed(stairs((0, 2)), np.array([EARLY_AND_LATE]), "if")
    assert sum(found.layers[1].alone.values()) == 0
    assert named(found.layers[1]) == {"late": 1}


def test_settle_steps_are_tried_until_nothing_is_late() -> None:
    found = diagnosed(stairs((0, 4)), np.array([EARLY_AND_LATE]), "if")
    settling = [trial for trial in found.trials if trial.kind == "settle"]
    assert [trial.late["b"] for trial in settling] == [1, 1, 0]
    assert settling[-1].remedy == "--settle 3"
    assert settling[-1].differing["b"] == 0
    assert "--settle 3 leaves none late and none differs" in found.layers[1].advice


def test_a_silent_network_has_no_settling_to_try() -> None:
    found = diagnosed(stairs((1, -2)), np.array([EARLY_AND_LATE]), "if", settle=None)
    assert named(found.layers[1]) == {"irreversible": 1}
    assert [trial.kind for trial in found.trials] == ["code", "code"]


def test_too_few_steps_are_quantisation() -> None:
    """Two steps for four levels: a count of 1 becomes 0 or 2; with four steps it is there again."""
    found = diagnosed(stairs((1, 0)), np.array([[5.0, 0.0]]), "if", steps=2)
    assert named(found.layers[0]) == {"quantisation": 1}
    assert named(found.layers[1]) == {"inherited": 1} or named(found.layers[1]) == {"quantisation": 1}
    assert "--steps 4: none differs" in found.layers[0].advice


def test_forced_counts_of_a_coarse_code_are_worth_as_much_as_the_models() -> None:
    """A model's count of 4 is sent as two spikes worth two levels each, not as four of them."""
    reference = stairs((1, 0), top=4)
    measure = Measure(reference, MapNeurons(code="if", steps=2)(reference), Schedule(2, 0))
    forced = measure.forced({"a": np.array([[4, 3]]), "b": np.array([[1]])})
    np.testing.assert_array_equal(forced["a"], [[2, 2]])
    alone, _ = measure.run(np.array([[16.0, 0.0]]), forced)
    assert measure.populations["b"].levels(alone["b"])[0, 0] == 4


def test_what_the_executor_decides_otherwise_is_a_tie_and_then_inherited() -> None:
    x = np.array([[6.0, 0.0]])
    reference = stairs((1, 0))
    model = exact_counts(reference, x)
    assert model["a"][0, 0] == 2, "6 / 4 is exactly between two counts"
    found = diagnosed(reference, x, "st-bif", settle=None, model={"a": model["a"] - [[1, 0]], "b": model["b"] - 1})
    assert named(found.layers[0]) == {"ties": 1}
    assert named(found.layers[1]) == {"inherited": 1}
    assert found.layers[0].advice.endswith("the model's float32 decides them otherwise: nothing to mend")
    assert found.layers[1].advice == "b: 100 % of its counts differ for what arrives"


def test_a_tie_that_the_code_rounds_the_other_way() -> None:
    """Half to even, 2 / 4 is no step; a neuron without a tie rule takes it."""
    reference = stairs((0, 1))
    for name in ("a", "b"):
        op = reference[name].op
        assert isinstance(op, Staircase)
        reference.replace(name, replace(op, rounding="half-even"))
    found = diagnosed(reference, np.array([[0.0, 2.0]]), "if")
    assert named(found.layers[0]) == {"ties": 1}


def test_rounded_thresholds_are_integer_rounding() -> None:
    reference = stairs((1, 1))
    for name in ("a", "b"):
        op = reference[name].op
        assert isinstance(op, Staircase)
        reference.replace(name, replace(op, scale=np.array(1.55)))
    network = run_passes(reference, (MapNeurons(steps=8), MakeInteger(steps=8, shift=0)))
    x = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0)), axis=-1).reshape(-1, 2)
    found = diagnosed_as(reference, network, x, "st-bif", Schedule(8, None))
    first, second = found.layers
    assert set(named(first)) == {"integer rounding"}
    assert set(named(second)) <= {"integer rounding", "inherited"}
    assert "too few bits" in first.advice


def test_a_range_that_ends_early_is_clipping() -> None:
    reference = stairs((1, 0))
    network = MapNeurons(steps=4)(reference)
    op = network["a"].op
    assert isinstance(op, STBIF)
    network.replace("a", replace(op, hi=1))
    found = diagnosed_as(reference, network, np.array([[8.0, 8.0]]), "st-bif", Schedule(4, None))
    assert named(found.layers[0]) == {"clipping": 2}
    assert named(found.layers[1]) == {"inherited": 1}
    assert found.layers[1].advice == "b: 100 % of its counts differ for what arrives: mend a first"


def test_other_weights_upstream_are_inherited_below() -> None:
    reference = stairs((1, 0))
    network = MapNeurons(steps=4)(reference)
    op = network["fc1"].op
    assert isinstance(op, Dense)
    network.replace("fc1", replace(op, weight=np.array([[0, 0], [0, 0]], np.int8)))
    found = diagnosed_as(reference, network, np.array([[8.0, 0.0]]), "st-bif", Schedule(4, None))
    assert named(found.layers[1]) == {"inherited": 1}


def test_real_values_beside_their_levels() -> None:
    reference = stairs((1, 0))
    found = Diagnoser(
        reference,
        MapNeurons(steps=4)(reference),
        Schedule(4, None),
        "st-bif",
        integer=False,
        backend=load_backend("numpy"),
    )
    x = np.array([[8.0, 8.0]])
    counts = {"a": np.array([[2, 4]]), "b": np.array([[2]])}
    found.add(x, Truth((), counts, {"a": np.array([[1.5, 6.0]])}), counts, counts)
    real = found.finish().layers[0].real
    assert real is not None
    assert (real.values, real.beyond) == (2, 1), "6 of at most 4"
    assert real.rms == (np.sqrt((0.5**2 + 2**2) / 2), np.sqrt((0.5**2 + 2**2) / 2))
    assert found.finish().layers[1].real is None


# -- on random networks ---------------------------------------------------------------------------------------------


@st.composite
def measured(
    draw: Draw, codes: Sequence[str] = tuple(CODES), settles: Sequence[int | None] = (0, 1, 5, None)
) -> tuple[Measure, Array, dict[str, Array]]:
    """A random integer network of any code, samples, and the counts of its staircases."""
    trained = draw(networks())
    reference = run_passes(trained, STAIRCASES)
    code, steps = draw(st.sampled_from(codes)), draw(st.integers(1, 16))
    steps = 1 if code == "ladder" else steps
    try:
        network = run_passes(reference, (MapNeurons(code=code, steps=steps), MakeInteger(steps=steps)))
    except PassError:
        assume(False)
        raise
    settle = draw(st.sampled_from(settles))
    x = draw(inputs(trained))
    return Measure(reference, network, Schedule(steps, settle)), x, exact_counts(reference, x)


@given(measured())
def test_every_differing_count_has_one_cause(made: tuple[Measure, Array, dict[str, Array]]) -> None:
    measure, x, model = made
    (found, _), (alone, _) = measure.run(x), measure.run(x, measure.forced(model))
    measure.add(x, model, found, alone)
    for name, population in measure.populations.items():
        layer = measure.layers[name]
        for split, counts in ((layer.network, found), (layer.alone, alone)):
            assert sum(split.values()) == (population.levels(counts[name]) != model[name]).sum()
            event(", ".join(cause for cause in CAUSES if split[cause]) or "equal")
        assert layer.alone["inherited"] == 0
        if population.op.exact:
            rest = measure.schedule.settle is None
            assert not any(layer.network[cause] for cause in (TIMING if rest else ("clipping", "irreversible")))


@given(measured(settles=[0, 1, 5]))
def test_what_is_late_comes_in_time(made: tuple[Measure, Array, dict[str, Array]]) -> None:
    """Left to settle, every count called late goes to the one that its charge comes to, or through it."""
    measure, x, model = made
    forced = measure.forced(model)
    steps, settle = measure.schedule.steps, measure.schedule.settle or 0
    soon = measure.run(x, forced)[0]
    longer = max(settle, settle_bound(measure.network, steps)) + 64  # until all have opened, and after it
    later = NumpySimulator(measure.network, steps, longer).run(x, given=forced).counts
    still = charges(measure.network, x, forced, measure.kinds)
    values, coarse = charges(measure.reference, x, model), charges(measure.climbed, x, forced)
    for name, population in measure.populations.items():
        split = causes(population, Given(model[name], values[name], coarse[name], still[name], still[name], soon[name]))
        after = causes(
            population, Given(model[name], values[name], coarse[name], still[name], still[name], later[name])
        )
        assert not after["late"].any() or population.worth != 1
        event(f"late: {bool(split['late'].any())}")
        assert not (split["late"] & after["irreversible"]).any()


@given(measured(codes=["st-bif"], settles=[None]))
def test_charges_are_what_the_run_integrates(made: tuple[Measure, Array, dict[str, Array]]) -> None:
    """The whole charge less what the spikes took is the membrane: between none and a threshold where nothing clips."""
    measure, x, _ = made
    found, _ = measure.run(x)
    for name, charge in charges(measure.network, x, found, measure.kinds).items():
        op = measure.populations[name].op
        low, high = measure.populations[name].ends
        inside = (found[name] > low) & (found[name] < high)
        membrane = (charge - op.theta * found[name])[inside]
        assert (membrane >= 0).all()
        assert (membrane <= np.broadcast_to(op.theta, charge.shape)[inside]).all()


# -- the command ----------------------------------------------------------------------------------------------------


def test_remedies_are_codes_that_the_backend_runs(tmp_path: Path) -> None:
    samples = np.load("onnx2snn/demo/digits.npz")
    np.savez(tmp_path / "x.npz", x=samples["x"][:32])
    model = "onnx2snn/demo/digits.onnx"
    onnx2snn("convert", model, "-o", tmp_path / "chip", "--backend", "loihi", "--code", "if")
    found = onnx2snn("verify", model, tmp_path / "chip", "--data", tmp_path / "x.npz", "--diagnose", "--json")
    trials = found.json["diagnosis"]["trials"]
    assert not any(trial["kind"] == "settle" for trial in trials)  # the chip takes no settle steps
    [code] = [trial for trial in trials if trial["kind"] == "code"]
    assert (code["remedy"], code["steps"]) == ("--code ladder", 1)
    assert sum(code["before"].values()) > 100
    assert not any(code["differing"].values())


def test_the_command_diagnoses(tmp_path: Path) -> None:
    model, data = lenet(tmp_path / "lenet.onnx"), tmp_path / "data.npz"
    np.savez(data, x=np.random.default_rng(0).random((20, 1, 12, 12), np.float32))
    onnx2snn("convert", model, "-o", tmp_path / "if", "--code", "if")
    found = onnx2snn("verify", model, tmp_path / "if", "--data", data, "--diagnose", "--json")
    assert found.code == 0
    diagnosis, parity = found.json["diagnosis"], found.json["parity"]
    assert [layer["name"] for layer in diagnosis["layers"]] == [layer["name"] for layer in parity["layers"]]
    for layer, measured in zip(diagnosis["layers"], parity["layers"], strict=True):
        assert sum(layer["network"].values()) == measured["cumulative"]
        assert sum(layer["alone"].values()) == measured["alone"]
        assert bool(layer["advice"]) == bool(measured["cumulative"])
    assert sum(parity["cumulative"] for parity in parity["layers"]) > 0
    codes = {trial["remedy"]: trial for trial in diagnosis["trials"] if trial["kind"] == "code"}
    assert not any(codes["--code st-bif"]["differing"].values())
    text = onnx2snn("verify", model, tmp_path / "if", "--data", data, "--diagnose").out
    assert "loses" in text
    assert "irreversible" in text
    onnx2snn("convert", model, "-o", tmp_path / "exact")
    exact = onnx2snn("verify", model, tmp_path / "exact", "--data", data, "--diagnose").out
    assert "diagnosis: no count differs" in exact
    one_line(onnx2snn("verify", model, tmp_path / "exact", "--diagnose"), "--diagnose: samples expected", "as --data")
