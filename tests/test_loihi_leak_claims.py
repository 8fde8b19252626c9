"""Leaky networks from NIR files converted for Loihi: what is claimed, measured, rounded and refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nir
import numpy as np
import pytest
from command import onnx2snn
from hypothesis import given
from hypothesis import strategies as st
from leaky_networks import NEURONS, STEPS, emulated, inputs, lowered, network
from nir_files import cuba, ends, integrate_and_fire, lif, write

from onnx2snn import Calibration
from onnx2snn.analysis.timing import Steady, spike_alike
from onnx2snn.backends.loihi import LoihiBackend, LoihiEmulator
from onnx2snn.errors import BackendError
from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.opening import open_artifact
from onnx2snn.ir import Array, Graph
from onnx2snn.plugins import load_backend
from onnx2snn.reference import run
from onnx2snn.reference.neurons import State

# -- what is claimed ---------------------------------------------------------------------------------------------------


def whole(folder: Path, threshold: float, bias: float = 0.0) -> Path:
    """Weights in eighths behind the first synapse, IF neurons."""
    random = np.random.default_rng(3)
    codes = [random.integers(-6, 9, shape) / 8 for shape in ((12, 8), (6, 12))]
    nodes = nir.Linear(codes[0]), integrate_and_fire(12, 0.75), nir.Affine(codes[1], np.full(6, bias))
    first, last = ends(8, 6)
    return write(folder / "net.nir", first, *nodes, integrate_and_fire(6, threshold), last)


def trains(graph: Graph) -> dict[str, Array]:
    """Counts after every step of 300 samples, (steps, samples, neurons)."""
    found: dict[str, list[Array]] = {"n2": [], "n4": []}

    def note(states: Mapping[str, State]) -> None:
        for name, counts in found.items():
            counts.append(states[name].n.copy())

    run(graph, inputs(300), STEPS, 0, note)
    return {name: np.stack(counts) for name, counts in found.items()}


@pytest.mark.parametrize(("threshold", "bias"), [(1.25, 0.0), (1.3, 0.0), (1.25, 0.125)])
def test_whole_weights_without_a_leak_are_proven_and_exact(threshold: float, bias: float, tmp_path: Path) -> None:
    conversion, place = emulated(whole(tmp_path, threshold, bias), tmp_path)
    verdict = conversion.lower(load_backend("loihi")).certificate["n4"]
    assert (verdict.exactness, verdict.breakpoints, verdict.proven) == ("exact", 6 * STEPS, 6 * STEPS)
    ours, theirs = (trains(graph) for graph in (open_artifact(place).graph(), conversion.network.graph))
    fed = (ours["n2"] == theirs["n2"]).all(axis=(0, 2))  # real-valued currents may lie on a tie
    assert fed.mean() > 0.8
    np.testing.assert_array_equal(ours["n4"][:, fed], theirs["n4"][:, fed])
    assert theirs["n4"][-1].sum() > 500


def test_a_leak_is_never_called_exact(tmp_path: Path) -> None:
    first, last = ends(8, 6)
    path = write(
        tmp_path / "net.nir", first, nir.Linear(np.ones((6, 8))), lif(6, 0.5), nir.Linear(np.eye(6)), lif(6, 0.5), last
    )
    verdict = lowered(path).certificate["n4"]
    assert (verdict.exactness, verdict.reason) == ("bounded", "its leak is in whole numbers, the model's is not")


@given(
    st.integers(1, 40), st.integers(-9, 9), st.integers(-3, 3), st.integers(-60, 60), st.integers(-20, 20), st.data()
)
def test_neurons_that_reset_to_zero_spike_alike_where_that_is_proven(
    theta: int, v0: int, bias: int, moved: int, started: int, data: st.DataObject
) -> None:
    """Against every step of random runs; thresholds of eight whole units a real one."""
    steps, real = 4, [np.array([n], float) for n in (1, theta, v0, bias)]
    ints = [np.array([n]) for n in (8, 8 * theta + moved % 15 - 7, 8 * v0 + started % 5 - 2, 8 * bias)]
    if ints[1] <= 0:
        return
    low, high = np.array([-200]), np.array([200])
    proven = spike_alike(Steady(*real), Steady(*ints), low, high, steps, "zero")[0] == steps

    def spikes(neuron: list[Array], charges: list[int]) -> list[bool]:
        unit, threshold, v, constant = (float(n[0]) for n in neuron)
        found = list[bool]()
        for charge in charges:
            v += unit * charge + constant
            found.append(v >= threshold)
            v = 0.0 if found[-1] else v
        return found

    tries = data.draw(st.lists(st.lists(st.integers(-50, 50), min_size=steps, max_size=steps), min_size=1, max_size=20))
    alike = all(spikes(real, charges) == spikes(ints, charges) for charges in tries)
    assert alike or not proven
    if not proven:  # one run at least tells them apart: straight to one of the thresholds
        runs = ([0] * n + [c] + [0] * (steps - n - 1) for n in range(steps) for c in range(-99, 200))
        after = (
            [400, *charges[:-1]]
            for charges in ([0] * n + [c] + [0] * (steps - n - 1) for n in range(steps) for c in range(-99, 99))
        )
        assert any(spikes(real, c) != spikes(ints, c) for c in (*runs, *after))


def test_weights_are_rounded_to_8_bits_with_one_scale_where_nothing_is_asked(tmp_path: Path) -> None:
    made = lowered(network(tmp_path, *NEURONS["lif"]))
    said = made.certificate.approximations
    assert [text.split()[0] for text in said] == ["n3", "n5"]
    assert all("weights rounded to 8 bits, a scale for the layer" in text for text in said)
    assert any("decay 0.9 rounded to 3686/4096" in note for note in made.notes)


def test_verify_measures_the_drift_from_the_trained_network(tmp_path: Path) -> None:
    path = network(tmp_path, *NEURONS["lif"])
    _, place = emulated(path, tmp_path)
    np.savez(tmp_path / "data.npz", x=inputs(100), y=np.zeros(100, int))
    said = onnx2snn("verify", path, place, "--data", tmp_path / "data.npz", "--json").json
    assert said["certificate"]["imported"]
    assert not said["certificate"]["exact"]
    assert said["findings"] == []
    layers = said["parity"]["layers"]
    conversion, x = convert(path, steps=STEPS), inputs(100)  # in float64, its weights not rounded
    found, real = LoihiEmulator(place).run(x).counts, conversion.simulate(x).counts
    assert [layer["cumulative"] for layer in layers] == [int((found[n] != real[n]).sum()) for n in real]
    assert 0 < layers[1]["cumulative"] < 200
    assert [layer["own"] for layer in layers] == [0, 0, 0]
    assert said["parity"]["argmax_agreement"] > 0.9


def test_verify_finds_an_emulator_that_does_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = network(tmp_path, *NEURONS["lif"])
    _, place = emulated(path, tmp_path)
    np.savez(tmp_path / "data.npz", x=inputs(9), y=np.zeros(9, int))
    monkeypatch.setattr("onnx2snn.backends.loihi.emulator.decay", lambda x, rate: x * (4096 - rate) >> 12)
    said = onnx2snn("verify", path, place, "--data", tmp_path / "data.npz", "--json")
    assert said.code == 1
    assert any("counts are not those of the artifact's network" in text for text in said.json["findings"])


def test_inspect_simulate_and_report_take_such_a_network(tmp_path: Path) -> None:
    path = network(tmp_path, *NEURONS["cuba"])
    _, place = emulated(path, tmp_path)
    np.savez(tmp_path / "data.npz", x=inputs(), y=np.zeros(12, int))
    assert "its current keeps 0.72 a step" in onnx2snn("inspect", path).out
    assert onnx2snn("simulate", place, "--data", tmp_path / "data.npz").code == 0
    page = tmp_path / "page.html"
    assert onnx2snn("report", place, "-o", page, "--data", tmp_path / "data.npz", "--model", path).code == 0
    assert "its leak is in whole numbers" in page.read_text()


# -- what does not fit -------------------------------------------------------------------------------------------------


def test_what_a_synapse_cannot_subtract_is_refused(tmp_path: Path) -> None:
    path = network(tmp_path, lif(16, 0.75, 0.5), lif(5, 0.9, 0.5))
    with pytest.raises(BackendError) as caught:
        lowered(path, reset="subtract")
    assert "(soft resets are exact)" in str(caught.value)
    assert "keeps 3686/4096 of its membrane: multiples of 2048 expected" in str(caught.value)
    assert "a reset to zero (--reset zero) or --chip loihi2" in str(caught.value)
    with pytest.raises(BackendError, match="that would come through its synaptic current"):
        lowered(network(tmp_path, *NEURONS["cuba"]), reset="subtract")


def test_thresholds_that_differ_within_a_layer_are_refused(tmp_path: Path) -> None:
    some = lif(12, 0.9, 0.5)
    some.v_threshold[3] = 0.8
    with pytest.raises(
        BackendError, match=r"\(one threshold in a leaky layer\) n4 .* has thresholds from \d+ to \d+, one a layer"
    ):
        lowered(network(tmp_path, lif(16, 0.9), some))
    with pytest.raises(BackendError, match="--weight-scale layer"):
        lowered(network(tmp_path, *NEURONS["lif"]), calibration=Calibration(weight_bits=8))


def test_weights_get_fewer_bits_where_sums_ask_for_it(tmp_path: Path) -> None:
    path = network(tmp_path, cuba(160, 0.8, 0.95), cuba(64, 0.8, 0.97, 3.0), cuba(8, 0.8, 0.95))
    said = lowered(path).certificate.approximations
    assert len(said) == 2
    assert all("weights rounded to 6 bits" in text or "weights rounded to 5 bits" in text for text in said)
    with pytest.raises(BackendError, match=r"\(membranes fit 24 bits\) n4"):
        lowered(path, calibration=Calibration(weight_bits=8, weight_scales="layer"))


def test_a_network_in_other_units_is_refused(tmp_path: Path) -> None:
    numpy = convert(network(tmp_path, *NEURONS["cuba"]), steps=STEPS, integer=True).network
    with pytest.raises(BackendError) as caught:
        LoihiBackend().check(numpy)
    assert "(leaks count in registers) n2" in str(caught.value)
    assert "what it settles at expected (pass fit-loihi makes it)" in str(caught.value)


def test_a_current_that_never_fades_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="settles beyond 13-bit biases"):
        lowered(network(tmp_path, cuba(16, 0.9999, 0.9)))
