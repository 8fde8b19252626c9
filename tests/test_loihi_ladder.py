"""Code `ladder` on Loihi: units without memory, their biases, registers, axons and wide readouts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from chain_models import chain_model, edit_array, edit_json, lowered, step
from chip_ladders import CHIPS, LOIHI, SECOND, broken, changed, compared, made, tiny, written
from hypothesis import given, settings
from hypothesis import strategies as st
from models import ModelBuilder

from onnx2snn.artifact import Network
from onnx2snn.backends.chains import (
    Connections,
    Geometry,
    Synapse,
    UnitPopulation,
    ladder_of,
)
from onnx2snn.backends.chains.ladder import walk
from onnx2snn.backends.chains.partition import read_cores
from onnx2snn.backends.loihi import LoihiLadderEmulator, chip
from onnx2snn.backends.loihi.ladder.rules import unit_biases_fit_13_bits
from onnx2snn.backends.loihi.ladder.sums import ends_of
from onnx2snn.backends.loihi.ladder.units import LEAST_LEFT, biases_of, grid_of, passing_sums
from onnx2snn.backends.loihi.tables import scaling
from onnx2snn.errors import BackendError
from onnx2snn.ir.ops import Affine
from onnx2snn.reference import evaluate, run


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return lowered(LOIHI, chain_model("dense", tmp_path), "ladder")


@pytest.mark.parametrize("gain", [[3], [0], [7]])
def test_a_gain_before_a_population_is_in_its_breakpoints(gain: list[int]) -> None:
    graph = tiny()
    graph.insert_before("n2", Affine(scale=np.array(gain)), "gain")
    chain, x = ladder_of(graph), np.random.default_rng(0).integers(0, 4, (30, 2)).astype(float)
    host = evaluate(chain.host, x)[chain.host.outputs[0]].astype(np.int64)
    sent = (host[:, None] >= chain.populations[0].breakpoints).sum(axis=1)
    population = chain.populations[1]
    assert population.synapse is not None
    sums = Connections(population.synapse.geometry, population.synapse.weight, 3).sum(sent)
    counts = (sums[:, None] >= population.breakpoints).sum(axis=1)
    np.testing.assert_array_equal(counts, run(graph, x, 1, 0).counts["n2"])
    assert np.abs(sums).max() < walk.BEYOND


@st.composite
def populations(draw: st.DrawFn) -> UnitPopulation:
    """A dense layer with weights on some grid and any ascending breakpoints."""
    inputs, neurons, units = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 4))
    arriving, shift = draw(st.integers(1, 15)), draw(st.integers(0, 4))
    most = 127 >> shift
    row = st.lists(st.integers(-most, most), min_size=inputs, max_size=inputs)
    weight = np.array(draw(st.lists(row, min_size=neurons, max_size=neurons)), np.int64) << shift
    level = st.lists(st.integers(-9000, 9000), min_size=units, max_size=units).map(sorted)
    breakpoints = np.array(draw(st.lists(level, min_size=neurons, max_size=neurons)), np.int64).T
    geometry = Geometry(kind="dense", source=(inputs,), reads=(inputs,), makes=(neurons,))
    return UnitPopulation("n", "n", (neurons,), Synapse("s", "s", weight, geometry, arriving), breakpoints, 0)


@settings(max_examples=300, deadline=None)
@given(populations(), st.data())
def test_no_membrane_that_can_be_left_changes_a_comparison(population: UnitPopulation, data: st.DataObject) -> None:
    """The chip's comparison against the network's, at the sums around each breakpoint and at the ends."""
    assert population.synapse is not None
    biases, units = biases_of(population), scaling(population)
    if np.abs(biases.mantissas).max() > chip.MOST_BIAS:
        return  # a design rule refuses these
    grid = grid_of(units.exponent)
    low, high = (end * units.scale for end in population.synapse.range())
    before = data.draw(st.integers(-(1 << 18) + 1, biases.threshold << 6))  # a silent membrane
    left = int(np.sign(before)) * (abs(before) >> 12)
    assert LEAST_LEFT <= left <= biases.threshold >> 6
    for k, neuron in np.ndindex(population.breakpoints.shape):
        edge = int(passing_sums(population)[k, neuron])
        for a in {edge - grid, edge, int(low[neuron]), int(high[neuron])}:
            if not low[neuron] <= a <= high[neuron]:
                continue
            v = left + (a << 6) + (int(biases.mantissas[k, neuron]) << biases.exponent)
            spikes = v > biases.threshold << 6
            assert spikes == (a >= population.breakpoints[k, neuron] * units.scale)


def placed_population(*breakpoints: int) -> UnitPopulation:
    """One neuron whose sums go from -15240 to 15240; weights are odd, so that they are doubled."""
    geometry = Geometry(kind="dense", source=(2,), reads=(2,), makes=(1,))
    synapse = Synapse("s", "s", np.array([[127, -127]]), geometry, 120)
    return UnitPopulation("n", "n", (1,), synapse, np.array(breakpoints)[:, None], 0)


@pytest.mark.parametrize(
    ("breakpoints", "threshold", "exponent", "mantissas"),
    [
        ((-5, 2000), 0, 6, [11, -3999]),
        ((50, 3000), 3050, 6, [2951, -2949]),
        ((-2000, 4000), 1, 7, [2001, -3999]),
        ((-1500, 5000), 3501, 7, [3251, -3249]),
    ],
)
def test_biases_use_a_threshold_in_their_middle_and_a_larger_exponent_where_they_must(
    breakpoints: tuple[int, ...], threshold: int, exponent: int, mantissas: list[int]
) -> None:
    found = biases_of(placed_population(*breakpoints))
    assert (found.threshold, found.exponent, found.mantissas[:, 0].tolist()) == (threshold, exponent, mantissas)


@pytest.mark.parametrize("name", ["dense", "strided_conv"])
def test_registers_tick_by_tick_give_the_same_spikes(name: str, tmp_path: Path) -> None:
    """Counts at random and at their ends, switched from sample to sample: what is left of one is in the next."""
    network = lowered(LOIHI, chain_model(name, tmp_path), "ladder")
    random = np.random.default_rng(3)
    for layer in LoihiLadderEmulator(written(LOIHI, network, tmp_path)).layers:
        assert layer.forgets
        sources = int(np.prod(layer.record.synapse.geometry.source))
        sent = random.integers(0, layer.record.arriving + 1, (60, sources))
        sent[::3] = layer.record.arriving * random.integers(0, 2, (20, sources))
        sums, together = layer.sums(sent), layer.fire(sent)
        for row, expected in zip(sums, together, strict=True):
            np.testing.assert_array_equal(layer.tick(row).sum(axis=0), expected)
        assert (layer.v != 0).any()


def test_tables_without_a_margin_are_found_and_run_with_what_is_left(network: Network, tmp_path: Path) -> None:
    """A threshold so high that a silent membrane leaves more than the margin: 8000 / 64 > 64."""
    network = made(tiny(), network)
    folder = written(LOIHI, network, tmp_path)
    edit_json(folder, lambda t: t["populations"][0].update(threshold=8000, bias_exponent=7))
    edit_array(folder, "n2/bias", lambda bias: np.copyto(bias, np.array([[3998], [3992]])))  # 8002 at 6, 8002 at 18
    found = LOIHI.audit(network, folder)
    assert found[0] == "n2: what is left of a tick before can change 2 of 2 units"
    (layer,) = LoihiLadderEmulator(folder).layers
    assert not layer.forgets
    at_rest = layer.fire(np.array([[2, 2]]))  # 6 x 2 - 4 x 2 = 4 and a bias of 7996 are not above the threshold
    assert at_rest.tolist() == [[0]]
    assert layer.fire(np.array([[2, 2]])).tolist() == [[1]]  # but with 125 / 64 on top they are


def test_all_broken_rules_are_reported_at_once(network: Network) -> None:
    weight = np.full((12, 20), 130, np.int64)
    weight[0, 0] = 129
    found = broken(LOIHI, changed(network, network.graph[SECOND].inputs[0], weight=weight))
    assert "(weights fit 8 bit mantissas) Gemm_2" in found
    assert "(synaptic sums fit 16 bits) Gemm_2" in found
    assert "sums in one tick of 0 to 78000" in found  # 20 inputs of 15 units, doubled because 129 is odd
    assert "(unit biases fit 13 bits)" not in found
    LOIHI.check(changed(network, SECOND, bias=np.full(12, -(1 << 40))))  # units that never pass


def test_breakpoints_too_far_apart_are_refused() -> None:
    limit = unit_biases_fit_13_bits(placed_population(-7000, 7000), 1)
    assert limit is not None
    assert not limit.holds
    assert str(limit).startswith("n needs bias mantissas of -6999 to 7001, -4095 to 4095 expected; fewer inputs")


# -- cores -----------------------------------------------------------------------------------------------------------


def test_what_units_take_of_a_core(network: Network, tmp_path: Path) -> None:
    """20 neurons of 15 units on the host, 12 of 15 on the chip, 5 sums: 300 input axons, 180 compartments."""
    folder = written(LOIHI, network, tmp_path)
    cores = read_cores(folder)
    names = [resource.name for resource in cores.resources]
    first, last = (dict(zip(names, layer.use[0], strict=True)) for layer in cores.layers)
    assert [layer.name for layer in cores.layers] == [SECOND, "readout"]
    assert (first["compartments"], first["input axons"], first["output axons"]) == (180, 300, 180)
    # 180 synapses in 3 entries of 10 + 8 bits and 8 bits each: 1494 bits, 24 words an axon
    assert (first["words of synaptic memory"], first["words for one axon"]) == (300 * 24, 24)
    assert (last["compartments"], last["input axons"], last["output axons"]) == (8, 180, 0)
    (tmp_path / "2").mkdir()
    graded = read_cores(written(CHIPS["loihi2"], network, tmp_path / "2"))
    assert graded.layers[0].use[0][[r.name for r in graded.resources].index("neurons")] == 12
    assert any("graded spike" in text for text in graded.assumptions)


def test_more_inputs_than_axons_are_refused_with_what_would_fit(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 2], seed=1)
    y = step(m, m.gemm(m.quantise("x", 1 / 15, 0, 15), 2, 300), 0.4)
    model = m.save(m.gemm(y, 300, 2), tmp_path / "wide.onnx")
    with pytest.raises(BackendError, match=r"4500 input axons, a core has 4096.* with at most 273 of its 300 inputs"):
        lowered(LOIHI, model, "ladder")


# -- readouts that one compartment does not hold ---------------------------------------------------------------------


@pytest.fixture
def wide(tmp_path: Path) -> Network:
    """60 inputs of 15 units with weights up to 130: sums of up to 117,000."""
    m = ModelBuilder(["N", 3], seed=4)
    y = step(m, m.gemm(m.quantise("x", 1 / 15, 0, 15), 3, 60), 0.2)
    network = lowered(LOIHI, m.save(m.gemm(y, 60, 4), tmp_path / "wide.onnx"), "ladder")
    weight = np.random.default_rng(0).integers(80, 127, (4, 60))
    return changed(network, network.graph["readout"].inputs[0], weight=weight)


def test_a_wide_readout_is_shared_out(wide: Network, tmp_path: Path) -> None:
    LOIHI.check(wide)
    compared(LOIHI, wide, tmp_path)
    tables = json.loads((tmp_path / "tables-loihi" / "tables.json").read_text())
    synapse = ladder_of(wide.graph).output.synapse
    parts = tables["readout"]["parts"]
    thirds = [synapse.weight[:, k : k + 20].sum(axis=1).max() for k in (0, 20, 40)]
    assert ends_of(synapse, 3) == (0, 15 * max(thirds))
    assert parts == 7
    assert 2 * ends_of(synapse, 7)[1] <= chip.MOST_SUM < 2 * ends_of(synapse, 6)[1]  # odd weights are doubled
    cores = read_cores(tmp_path / "tables-loihi")
    assert cores.layers[-1].use[0][0] == 28
    edit_json(tmp_path / "tables-loihi", lambda t: t["readout"].update(parts=5, compartments=20))
    assert "readout: 7 compartments for each output hold its sums" in LOIHI.audit(wide, tmp_path / "tables-loihi")
    edit_json(tmp_path / "tables-loihi", lambda t: t["readout"].update(parts=1, compartments=4))
    emulator = LoihiLadderEmulator(tmp_path / "tables-loihi")
    with pytest.raises(BackendError, match=r"readout: synaptic sums of .* overflow 16 bits"):
        emulator.readout.sums(np.full((1, 60), 15))
