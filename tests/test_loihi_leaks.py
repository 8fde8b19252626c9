"""Leaky networks in Loihi's tables and emulator: the integer update, resets, currents, bounds of the membrane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from chain_models import edit_array, edit_json
from command import onnx2snn
from hypothesis import given
from hypothesis import strategies as st
from leaky_networks import CHIPS, NEURONS, emulated, inputs, network
from nir_files import cuba, ends, integrate_and_fire, lif, write
from safetensors.numpy import load_file

from onnx2snn.backends.chains import Geometry, Leak, Population, Synapse
from onnx2snn.backends.loihi import LoihiBackend, LoihiEmulator
from onnx2snn.backends.loihi.emulator import Loaded, NeuronLayer
from onnx2snn.backends.loihi.schema import SOMA_BIAS, PopulationRecord
from onnx2snn.errors import ArtifactError
from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.opening import open_artifact
from onnx2snn.ir import Array
from onnx2snn.reference import decayed

# -- the update, tick by tick ------------------------------------------------------------------------------------------


def kept(value: int, decay: int) -> int:
    """What is left of a register that loses `decay` of 4096: toward zero."""
    left = abs(value) * (4096 - decay) // 4096
    return left if value >= 0 else -left


@given(
    st.integers(0, 4096),
    st.integers(1, 4096),
    st.integers(0, 2000),
    st.integers(-4095, 4095),
    st.integers(-3000, 3000),
    st.lists(st.integers(-3000, 3000), min_size=1, max_size=12),
)
def test_a_neuron_that_resets_to_zero_does_what_the_chip_does(
    decay_v: int, decay_u: int, threshold: int, bias: int, start: int, sums: list[int]
) -> None:
    record = PopulationRecord(
        name="n",
        shape=(1,),
        first_tick=0,
        last_tick=0,
        shift=0,
        compartments=1,
        scale=1,
        synapse=None,
        decay_u=decay_u,
        decay_v=decay_v,
        reset="zero",
        threshold=threshold,
        reset_exponents=(),
    )
    arriving = iter(sums)

    class Sums:
        def sum(self, _: Array) -> Array:
            return np.array([[next(arriving)]], np.int32)

    one = np.array([[1]])
    layer = NeuronLayer(Loaded(record, None, one * 0, None, Sums()), bias * one, start * one)  # type: ignore[arg-type]
    u, v = (-64 * bias if decay_u < 4096 else 0), 64 * start
    for a in sums:
        u = kept(u, decay_u) + 64 * a
        v = min(max(kept(v, decay_v) + u + 64 * bias, 1 - 2**23), 2**23 - 1)
        spike = v > 64 * threshold
        v = 0 if spike else v
        assert layer.tick(one).tolist() == [[spike]]
        assert (layer.u.tolist(), layer.v.tolist()) == ([[u]], [[v]])


@given(st.sampled_from([512, 1024, 2048, 3072, 3584]), st.integers(1, 30), st.integers(0, 999))
def test_two_compartments_subtract_behind_a_leak_what_is_left_of_a_threshold(decay: int, some: int, seed: int) -> None:
    """Against one membrane that subtracts at the spike itself, which is what the network means."""
    theta = some * 4096 // np.gcd(decay, 4096)
    fields: dict[str, Any] = {
        "name": "n",
        "shape": (1,),
        "first_tick": 0,
        "last_tick": 0,
        "shift": 0,
        "compartments": 2,
        "scale": 1,
        "synapse": None,
        "decay_v": 4096 - decay,
        "reset": "two-compartment",
        "threshold": theta - 1,
        "reset_exponents": (0,),
        "soma_bias": SOMA_BIAS,
    }
    one, v = np.array([[1]]), 0
    random = np.random.default_rng(seed)
    arriving = np.array([])

    class Sums:
        def sum(self, _: Array) -> Array:
            return arriving

    reset = np.array([theta * decay // 4096])
    layer = NeuronLayer(Loaded(PopulationRecord(**fields), reset, one, None, Sums()), 0 * one, 0 * one)  # type: ignore[arg-type]
    for _ in range(30):
        a = int(random.integers(-theta // 2, theta + 2))
        arriving = np.array([[a]])
        v = kept(v, 4096 - decay) + 64 * a
        spike = v >= 64 * theta
        v -= 64 * theta * spike
        assert layer.tick(one).tolist() == [[spike]]


@given(
    st.integers(0, 4096),
    st.integers(0, 4090),
    st.sampled_from(["zero", "subtract"]),
    st.integers(-40, 40),
    st.integers(1, 14),
    st.integers(0, 999),
)
def test_no_input_drives_a_leaky_membrane_past_its_bounds(
    decay: int, current_decay: int, reset: Any, bias: int, steps: int, seed: int
) -> None:
    """Sums at the ends of their range, all one way, the other, and switched at random."""
    random = np.random.default_rng(seed)
    geometry = Geometry(kind="dense", source=(5,), reads=(5,), makes=(3,))
    synapse = Synapse("w", "w", random.integers(-9, 9, (3, 5)), geometry)
    theta, v0 = random.integers(1, 90, 3), random.integers(0, 2, 3)
    population = Population(
        "n",
        "n",
        (3,),
        synapse,
        theta,
        np.minimum(v0, theta - 1),
        np.full(3, bias * steps),
        1,
        Leak(decay, current_decay, reset),
    )
    least, most = population.membrane(steps)
    low, high = population.held(steps)
    ends = [2 * end for end in synapse.range()]
    for turn in range(4):
        distance, v = np.full(3, -bias if current_decay else 0), population.v0.copy()
        for _ in range(steps):
            up = [True, False, random.random() < 0.5, random.random(3) < 0.5][turn]
            distance = decayed(distance, current_decay / 4096, True) + np.where(up, ends[1], ends[0])
            v = decayed(v, decay / 4096, True) + distance + bias
            assert ((low <= distance + bias) & (distance + bias <= high) & (least <= v) & (v <= most)).all()
            spike = v >= theta
            v = np.where(spike, 0, v) if reset == "zero" else v - theta * spike


# -- networks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("kind", NEURONS)
def test_the_emulator_is_the_integer_network_and_near_the_trained_one(kind: str, chip: str, tmp_path: Path) -> None:
    conversion, place = emulated(network(tmp_path, *NEURONS[kind]), tmp_path, chip)
    found, real = LoihiEmulator(place).run(inputs(200)), conversion.simulate(inputs(200))
    assert len(open_artifact(place).manifest.approximations) == 2
    for name, counts in real.counts.items():
        assert np.abs(found.counts[name] - counts).sum() < 0.05 * counts.sum()
    cores = json.loads((place / "cores.json").read_text())
    used = [layer["use"][0][0] for layer in cores["layers"]]
    assert used == ([16, 12, 8, 8] if chip == "loihi1" else [16, 12, 5, 5])  # Loihi 1 counts in groups of four


@pytest.mark.parametrize("kind", ["lif", "cuba", "all"])
def test_loihi_2_subtracts_at_once(kind: str, tmp_path: Path) -> None:
    emulated(network(tmp_path, *NEURONS[kind]), tmp_path, "loihi2", reset="subtract", integer=True)


@pytest.mark.parametrize("decay", [0.5, 0.75, 0.9375])
def test_two_compartments_subtract_behind_a_leak(decay: float, tmp_path: Path) -> None:
    """A population behind the input, one behind a synapse, and one that keeps all of its membrane."""
    neurons = lif(16, decay, 0.5), lif(12, decay, 0.5), integrate_and_fire(5, 0.7)
    _, place = emulated(network(tmp_path, *neurons), tmp_path, reset="subtract")
    tables = json.loads((place / "tables.json").read_text())
    assert [p["reset"] for p in tables["populations"]] == ["two-compartment"] * 3
    assert [p["soma_bias"] for p in tables["populations"]] == [-63, -63, 0]
    assert [p["decay_v"] for p in tables["populations"]] == [4096 * (1 - decay)] * 2 + [0]


def test_the_tables_of_a_small_network(tmp_path: Path) -> None:
    first, last = ends(2, 2)
    nodes = nir.Linear(np.eye(2)), lif(2, 0.75), nir.Linear(np.array([[4.0, -3.0], [2.0, 4.0]])), cuba(2, 0.5, 0.9, 6.0)
    path = write(tmp_path / "net.nir", first, *nodes, last)
    convert(path, steps=9).save(tmp_path / "out", backend="loihi")
    tables, arrays = (
        json.loads((tmp_path / "out/tables.json").read_text()),
        load_file(tmp_path / "out/tables.safetensors"),
    )
    told = (
        "decay_u",
        "decay_v",
        "reset",
        "threshold",
        "reset_exponents",
        "compartments",
        "shift",
        "scale",
        "soma_bias",
    )
    one, two = ([layer[key] for key in told] for layer in tables["populations"])
    assert one == [4096, 1024, "zero", 4094, [], 2, 0, 1, 0]
    exponent = tables["populations"][1]["synapse"]["weight_exponent"]
    weights = arrays["n4/weight"].astype(int) << exponent
    np.testing.assert_array_equal(weights * 4, np.array([[4, -3], [2, 4]]) * weights[0, 0])
    assert abs(two[3] / weights[0, 0] - 6 / 4) < 1 / weights[0, 0]
    assert two[:3] + two[4:6] + two[7:] == [2048, 410, "zero", [], 2, 1, 0]
    assert "n4/reset" not in arrays


def test_the_numpy_simulator_runs_the_same_network(tmp_path: Path) -> None:
    _, place = emulated(network(tmp_path, *NEURONS["cuba"]), tmp_path)
    np.savez(tmp_path / "data.npz", x=inputs(), y=np.zeros(12, int))
    arguments = ("simulate", place, "--data", tmp_path / "data.npz", "--json")
    chip, numpy = (onnx2snn(*arguments, *more).json for more in ((), ("--in-numpy",)))
    assert [layer["spikes"] for layer in chip["layers"]] == [layer["spikes"] for layer in numpy["layers"]]


def test_tables_that_say_something_else_are_found(tmp_path: Path) -> None:
    path = network(tmp_path, *NEURONS["lif"])
    conversion, place = emulated(path, tmp_path)
    made = conversion.lower(LoihiBackend())
    edit_json(place, lambda t: t["populations"][1].update(decay_v=1000))
    assert any("n4: leak" in text for text in LoihiBackend().audit(made, place))
    edit_json(place, lambda t: t["populations"][1].update(decay_v=1024, threshold=5))
    assert any("n4: theta differs in 12 of 12" in text for text in LoihiBackend().audit(made, place))
    edit_array(place, "n4/membrane", lambda membrane: membrane.fill(3))
    assert any("n4: initial membrane" in text for text in LoihiBackend().audit(made, place))
    for change, words in (
        ({"decay_u": 0}, "decay_u: Input should be greater than or equal to 1"),
        ({"soma_bias": -63}, "a soma's bias where"),
        ({"reset_exponents": [1]}, "reset zero with 1 reset weights"),
        ({"compartments": 24}, "reset zero with 12 compartments"),
    ):
        before = (place / "tables.json").read_text()
        edit_json(place, lambda t, change=change: t["populations"][1].update(change))
        with pytest.raises(ArtifactError, match=words):
            LoihiEmulator(place)
        (place / "tables.json").write_text(before)
