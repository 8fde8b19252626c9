"""Code `ladder` on chips: tables, their proof, emulators, design rules, cores, and the choice between codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chain_models import CHAINS, Array, chain_model, edit_array, edit_json, lowered, samples, step
from hypothesis import given, settings
from hypothesis import strategies as st
from models import ModelBuilder, residual
from safetensors.numpy import load_file

from onnx2snn.artifact import Network, read_manifest
from onnx2snn.backends.chains import (
    ChainBackend,
    Connections,
    Geometry,
    LadderChain,
    Synapse,
    UnitPopulation,
    ladder_of,
)
from onnx2snn.backends.chains.ladder import walk
from onnx2snn.backends.chains.partition import read_cores
from onnx2snn.backends.loihi import LoihiBackend, LoihiLadderEmulator, chip
from onnx2snn.backends.loihi.ladder.rules import unit_biases_fit_13_bits
from onnx2snn.backends.loihi.ladder.sums import ends_of
from onnx2snn.backends.loihi.ladder.units import LEAST_LEFT, biases_of, grid_of, passing_sums
from onnx2snn.backends.loihi.rules import RULES
from onnx2snn.backends.loihi.tables import scaling
from onnx2snn.backends.tianjic import TianjicBackend, TianjicLadderEmulator
from onnx2snn.errors import ArtifactError, BackendError, DataError
from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.evaluation.latency import latency_of
from onnx2snn.flow.evaluation.simulate import simulate
from onnx2snn.flow.verification.verify import verify
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Affine, Dense, Encoder, Input, Ladder, Readout
from onnx2snn.reference import evaluate, run

CHIPS = {
    "loihi1": LoihiBackend(),
    "loihi2": LoihiBackend("loihi2"),
    "tianjicx": TianjicBackend(),
    "tianjic2019": TianjicBackend("tianjic2019"),
}
LOIHI, TIANJIC = CHIPS["loihi1"], CHIPS["tianjicx"]
DEMO = Path(str(files("onnx2snn"))) / "demo"
FIRST, SECOND = "DequantizeLinear_3", "DequantizeLinear_5"


def signed_counts(path: Path, kind: str) -> Path:
    """Counts from -5 to 6, padded convolutions, an average pool: what stands for zero differs at the borders."""
    m = ModelBuilder(["N", 2, 8, 8], seed=5)
    y = m.quantise("x", 1 / 15, 0, 15)
    for channels in (2, 4):
        y = m.quantise(m.conv(y, channels, 4, pads=[1, 0, 1, 2]), 0.3, -5, 6)
    if kind == "pooled":
        y = m.node("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = m.quantise(m.conv(y, 4, 3, pads=[1] * 4), 0.4, -3, 3)
    size = 48 if kind == "pooled" else 192
    return m.save(m.gemm(m.node("Flatten", y), size, 5), path / "signed.onnx")


def tiny() -> Graph:
    """Two inputs, two neurons on the host with counts -1 to 2, one neuron on the chip with counts 0 to 2, one sum."""
    one = np.asarray(1)
    graph = Graph("tiny")
    graph.add("x", Input(shape=(2,)))
    graph.add("q", Encoder(scale=np.asarray(1.0), lo=0, hi=3, value=one), ["x"])
    graph.add("w1", Dense(weight=np.array([[2, -1], [1, 3]], np.int8)), ["q"])
    whole = {"value": one, "ties": "up"}
    graph.add("n1", Ladder(theta=np.array([4]), v0=np.array([2]), bias=np.array([0]), lo=-1, hi=2, **whole), ["w1"])
    graph.add("w2", Dense(weight=np.array([[3, -2]], np.int8)), ["n1"])
    graph.add("n2", Ladder(theta=np.array([6]), v0=np.array([3]), bias=np.array([1]), lo=0, hi=2, **whole), ["w2"])
    graph.add("w3", Dense(weight=np.array([[5]], np.int8)), ["n2"])
    graph.add("y", Readout(scale=np.array([0.5]), bias=np.array([1.0])), ["w3"])
    graph.outputs = ("y",)
    return graph


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return lowered(LOIHI, chain_model("dense", tmp_path), "ladder")


def written(backend: ChainBackend, network: Network, path: Path) -> Path:
    folder = path / f"tables-{backend.name}"
    folder.mkdir()
    backend.emit(network, folder)
    return folder


def compared(backend: ChainBackend, network: Network, path: Path) -> Any:
    """The emulator's run, equal to the reference's in every count and every output."""
    folder = written(backend, network, path)
    assert backend.audit(network, folder) == []
    x = samples(network)
    found, expected = backend.on_chip("ladder").emulator(folder).run(x), run(network.graph, x, 1, 0)
    assert list(found.counts) == list(expected.counts)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], counts)
        assert counts.min() < counts.mean() < counts.max()
    np.testing.assert_array_equal(found.output, expected.output)
    return found


# -- counts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("target", CHIPS)
def test_every_count_equals_the_reference(target: str, name: str, tmp_path: Path) -> None:
    network = lowered(CHIPS[target], chain_model(name, tmp_path), "ladder")
    assert network.certificate.exact
    found = compared(CHIPS[target], network, tmp_path)
    assert found.steps == 1 + len(network.neurons)


@pytest.mark.parametrize("kind", ["plain", "pooled"])
@pytest.mark.parametrize("target", CHIPS)
def test_counts_below_zero(target: str, kind: str, tmp_path: Path) -> None:
    network = lowered(CHIPS[target], signed_counts(tmp_path, kind), "ladder")
    assert network.certificate.exact
    found = compared(CHIPS[target], network, tmp_path)
    assert any(counts.min() < 0 for counts in found.counts.values())
    assert all(spikes > 0 for spikes in found.spikes.values())


@pytest.mark.parametrize("target", ["loihi1", "tianjicx"])
def test_counts_are_the_quantised_networks_own(target: str, tmp_path: Path) -> None:
    """Against ONNX Runtime, through the artifact."""
    model = signed_counts(tmp_path, "plain")
    network = convert(model, code="ladder")
    network.save(tmp_path / "net", CHIPS[target].name)
    x = np.random.default_rng(2).random((50, 2, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    found = verify(model, tmp_path / "net", tmp_path / "x.npz")
    assert found.ok, found.findings
    assert found.parity is not None
    assert [layer.cumulative - layer.rounding for layer in found.parity.layers] == [0, 0, 0]


@pytest.mark.parametrize("target", ["loihi1", "tianjicx"])
def test_the_demo_network(target: str, tmp_path: Path) -> None:
    backend = CHIPS[target]
    manifest = convert(DEMO / "digits.onnx").save(tmp_path / "net", backend.name)
    assert (manifest.code, manifest.steps) == ("ladder", 1)
    assert latency_of(manifest).most_steps == 1 + manifest.pipeline_steps
    found = simulate(tmp_path / "net", DEMO / "digits.npz")
    assert found.accuracy is not None
    assert found.accuracy > 0.97
    assert verify(DEMO / "digits.onnx", tmp_path / "net", DEMO / "digits.npz").ok


@pytest.mark.parametrize("target", ["loihi1", "tianjicx"])
def test_samples_one_after_the_other_are_the_samples_side_by_side(target: str, tmp_path: Path) -> None:
    backend = CHIPS[target]
    network = lowered(backend, chain_model("strided_conv", tmp_path), "ladder")
    emulator: Any = backend.on_chip("ladder").emulator(written(backend, network, tmp_path))
    x, done = samples(network), list[int]()
    whole = emulator.run(x)
    emulator.chunk = 1
    parts = emulator.run(x, done.append)
    np.testing.assert_array_equal(parts.output, whole.output)
    assert parts.spikes == whole.spikes
    assert done == list(range(1, len(x) + 1))
    with pytest.raises(DataError, match=r"samples \(2, 8, 8\) expected, found \(2, 8, 9\)"):
        emulator.run(np.zeros((1, 2, 8, 9)))


# -- tables ----------------------------------------------------------------------------------------------------------


def made(graph: Graph, network: Network) -> Network:
    return replace(network, graph=graph)


def test_tables_worked_out_by_hand(network: Network, tmp_path: Path) -> None:
    """Units of n1 pass at -2, 2 and 6; of n2 at 2 and 8 of 3 n - 2 m, so at 3 and 9 of 3 (n + 1) - 2 (m + 1)."""
    chain = ladder_of(tiny())
    assert chain.populations[0].breakpoints.tolist() == [[-2, -2], [2, 2], [6, 6]]
    assert chain.populations[1].breakpoints.tolist() == [[3], [9]]
    folder = written(LOIHI, made(tiny(), network), tmp_path)
    arrays = load_file(folder / "tables.safetensors")
    tables = json.loads((folder / "tables.json").read_text())
    layer = tables["populations"][0]
    assert (layer["scale"], layer["synapse"]["weight_exponent"]) == (2, 0)  # 3 is odd
    assert arrays["n2/weight"].tolist() == [[6, -4]]
    assert (layer["threshold"], layer["bias_exponent"]) == (0, 6)
    assert arrays["n2/bias"].tolist() == [[-5], [-17]]  # in the middle: 6 and 18 pass by 1, 4 and 16 miss by 1
    assert (layer["decay_v"], layer["floor_bits"], layer["compartments"], layer["arriving"]) == (4095, 18, 2, 3)
    assert arrays["y/weight"].tolist() == [[10]]
    assert arrays["y/value"].tolist() == [0.25]
    assert (tables["ticks"], tables["readout"]["first_tick"]) == (3, 2)
    folder = written(TIANJIC, made(tiny(), network), tmp_path)
    arrays = load_file(folder / "tables.safetensors")
    assert arrays["n2/vtheta"].tolist() == [[2], [8]]
    assert arrays["n2/weight"].reshape(-1, 32)[:2, 0].tolist() == [3, -2]
    x = np.array([[3.0, 0.0], [0.0, 3.0], [3.0, 3.0], [0.0, 0.0]])
    found = TianjicLadderEmulator(folder).run(x)
    assert found.counts["n1"].tolist() == [[2, 1], [-1, 2], [1, 2], [0, 0]]  # of 6 and 3, -3 and 9, 3 and 12, 0 and 0
    assert found.counts["n2"].tolist() == [[1], [0], [0], [0]]  # of 4, -7, -1, 0
    assert found.output.tolist() == [[3.5], [1.0], [1.0], [1.0]]


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


def put(place: Any, value: int) -> Callable[[Array], None]:
    def change(array: Array) -> None:
        array[place] += value

    return change


@pytest.mark.parametrize(
    ("target", "array", "change", "finding"),
    [
        ("loihi1", f"{SECOND}/bias", put((7, 3), 2), f"{SECOND}: breakpoint differs in 1 of 180 entries, first at (7,"),
        ("loihi1", f"{SECOND}/weight", put((0, 3), 1), "even numbers from -256 to 254 expected"),
        ("loihi1", f"{SECOND}/weight", put((0, 3), 4), "weight differs in 1 of 240 entries, first at (0, 3)"),
        ("loihi1", "host.breakpoints", put((0, 1), 1), f"{FIRST}: breakpoint differs in 1 of 300 entries"),
        ("loihi1", "readout/constant", put(0, 2), "constant differs in 1 of 5 entries"),
        ("loihi1", "readout/value", put(0, 1), "scale differs in 1 of 5 entries"),
        ("tianjicx", f"{SECOND}/vtheta", put((7, 3), 1), f"{SECOND}: breakpoint differs in 1 of 180 entries"),
        ("tianjicx", f"{SECOND}/weight", put((0, 3, 3), 1), "weight differs in 1 of 240 entries"),
    ],
)
def test_the_audit_finds_a_changed_number(
    target: str, array: str, change: Callable[[Array], None], finding: str, tmp_path: Path
) -> None:
    backend = CHIPS[target]
    network = lowered(backend, chain_model("dense", tmp_path), "ladder")
    folder = written(backend, network, tmp_path)
    edit_array(folder, array, change)
    found = backend.audit(network, folder)
    assert found
    assert finding in "; ".join(found)


@pytest.mark.parametrize("target", CHIPS)
def test_damaged_tables_are_no_artifact(target: str, tmp_path: Path) -> None:
    backend = CHIPS[target]
    network = lowered(backend, chain_model("dense", tmp_path), "ladder")
    folder = written(backend, network, tmp_path)
    edit_json(folder, lambda t: t["populations"][0].update(arriving=14))
    with pytest.raises(ArtifactError, match=r"reads 14 units of \(20,\), DequantizeLinear_3 before it has 15"):
        backend.on_chip("ladder").emulator(folder)
    edit_json(folder, lambda t: (t["populations"][0].update(arriving=15), t.update(ticks=4)))
    assert "4 ticks do not go with 2 layers on the chip" in backend.audit(network, folder)[0]


def test_the_same_network_gives_the_same_bytes(network: Network, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        LOIHI.emit(network, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


# -- the design rules ------------------------------------------------------------------------------------------------


def broken(backend: ChainBackend, network: Network) -> str:
    with pytest.raises(BackendError) as caught:
        backend.check(network)
    return str(caught.value)


def changed(network: Network, name: str, **fields: Any) -> Network:
    graph = network.graph.copy()
    graph.replace(name, replace(graph[name].op, **fields))
    return replace(network, graph=graph)


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


def test_structure_is_refused_in_either_code(network: Network, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"chain networks only.*joins 2 branches"):
        lowered(LOIHI, residual(tmp_path / "m.onnx"), "ladder")
    op = network.graph[SECOND].op
    assert isinstance(op, Ladder)
    numbers = {"theta": 2.5, "v0": 1.0, "bias": 0.0, "value": 1.0}
    real = changed(network, SECOND, shift=0, **{name: np.array(number) for name, number in numbers.items()})
    assert "computes in real numbers" in broken(LOIHI, real)
    assert "(integer units or if populations)" in broken(TIANJIC, real)
    assert len({rule.__name__ for rule in RULES}) == len(RULES)


def test_counts_beyond_int8_are_refused_on_tianjic(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4], seed=1)
    y = m.quantise(m.node("Relu", m.gemm(m.quantise("x", 1 / 15, 0, 15), 4, 5)), 0.01, 0, 200)
    y = m.quantise(m.node("Relu", m.gemm(y, 5, 4)), 0.01, 0, 100)
    model = m.save(m.gemm(y, 4, 2), tmp_path / "wide.onnx")
    with pytest.raises(
        BackendError, match=r"\(counts fit int8\) Gemm_2 .* needs counts of 0 to 200, 0 to 127 expected"
    ):
        lowered(TIANJIC, model, "ladder")
    assert lowered(LOIHI, model, "ladder").certificate.exact


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


# -- the choice ------------------------------------------------------------------------------------------------------


def test_the_exact_code_is_chosen_though_it_takes_more_chips(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 2], seed=1)
    y = step(m, m.gemm(m.quantise("x", 1 / 15, 0, 15), 2, 250), 0.4)
    y = step(m, m.gemm(y, 250, 250), 0.4)
    model = m.save(m.gemm(y, 250, 2), tmp_path / "wide.onnx")
    prices = {code: LOIHI.price(lowered(LOIHI, model, code)) for code in ("ladder", "if")}
    assert prices["ladder"].amount > prices["if"].amount
    network = lowered(LOIHI, model, None)
    assert network.code == "ladder"
    assert f"if (not proven exact) would take {prices['if'].words}" in network.choice


def test_the_exact_code_is_chosen_and_the_other_told(tmp_path: Path) -> None:
    model = chain_model("dense", tmp_path)
    network = lowered(LOIHI, model, None)
    assert network.code == "ladder"
    assert network.choice.startswith(
        "code ladder (proven exact) takes 2 cores on 1 chip of loihi1; if (not proven exact)"
    )
    manifest = convert(model).save(tmp_path / "net", "loihi")
    assert manifest.notes[0] == network.choice == read_manifest(tmp_path / "net").notes[0]
    assert lowered(LOIHI, model, "if").choice == ""
    assert lowered(LOIHI, model, "if").code == "if"


def test_a_proof_of_an_approximated_network_is_called_one(tmp_path: Path) -> None:
    network = lowered(LOIHI, chain_model("dense", tmp_path), None, most_levels=3)
    assert network.certificate.approximations
    assert network.choice.startswith("code ladder (proven exact but for the approximations) takes")
    assert "; if (not proven exact) would take" in network.choice


def test_what_does_not_fit_is_not_chosen(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 2], seed=1)
    y = step(m, m.gemm(m.quantise("x", 1 / 15, 0, 15), 2, 300), 0.4)
    model = m.save(m.gemm(y, 300, 2), tmp_path / "wide.onnx")
    network = lowered(LOIHI, model, None)
    assert network.code == "if"
    assert "; ladder does not fit: (every layer fits cores) readout" in network.choice
    network = lowered(LOIHI, chain_model("dense", tmp_path), None, steps=9)
    assert (network.code, network.schedule.steps) == ("if", 9)
    assert "ladder does not fit: steps: code ladder runs in one step" in network.choice


def test_where_nothing_fits_both_say_why(tmp_path: Path) -> None:
    with pytest.raises(BackendError) as caught:
        lowered(LOIHI, residual(tmp_path / "m.onnx"), None)
    assert str(caught.value).count("joins 2 branches") >= 1


def test_a_recipe_with_a_code_of_its_own_is_followed(tmp_path: Path) -> None:
    model = chain_model("dense", tmp_path)
    recipe = ", ".join(map(str, (*LOIHI.staircases(), *LOIHI.neurons("ladder", 1, True))))
    network = lowered(LOIHI, model, None, passes=recipe)
    assert (network.code, network.choice) == ("ladder", "")
    assert isinstance(ladder_of(network.graph), LadderChain)


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
