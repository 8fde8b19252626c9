"""The Loihi tables: written, read back, checked and emulated."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chain_models import CHAINS, chain_model, edit_array, edit_json, lowered, samples, step
from models import ModelBuilder, lenet, residual
from safetensors.numpy import load_file

from onnx2snn.artifact import Network, Schedule
from onnx2snn.backends.chains import chain_of
from onnx2snn.backends.loihi import LoihiBackend, LoihiEmulator
from onnx2snn.errors import ArtifactError, BackendError, DataError, UsageError
from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.evaluation.latency import latency_of
from onnx2snn.flow.opening import open_artifact
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Dense, Input, MaxPool, Neuron, Readout, Reshape
from onnx2snn.plugins import load_backend
from onnx2snn.reference import run

BACKEND = LoihiBackend()
FIRST, SECOND = "DequantizeLinear_3", "DequantizeLinear_5"


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return lowered(BACKEND, chain_model("dense", tmp_path))


@pytest.fixture
def tables(network: Network, tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    BACKEND.emit(network, folder)
    return folder


# -- the emulator ----------------------------------------------------------------------------------------------------


def test_the_way_from_layer_to_layer_is_latency(tmp_path: Path) -> None:
    path = chain_model("dense", tmp_path)
    network = lowered(BACKEND, path)
    most = latency_of(convert(path, code="if").save(tmp_path / "net", backend="loihi")).most_steps
    BACKEND.emit(network, tmp_path)
    assert LoihiEmulator(tmp_path).run(samples(network)).steps == most > network.schedule.steps


@pytest.mark.parametrize("name", CHAINS)
def test_every_count_equals_the_reference(name: str, tmp_path: Path) -> None:
    network = lowered(BACKEND, chain_model(name, tmp_path))
    BACKEND.emit(network, tmp_path)
    assert BACKEND.audit(network, tmp_path) == []
    x, steps = samples(network), network.schedule.steps
    found, expected = LoihiEmulator(tmp_path).run(x), run(network.graph, x, steps, 0)
    assert list(found.counts) == list(expected.counts)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], counts)
        assert 0 < counts.mean() < steps
    assert found.spikes == expected.spikes
    np.testing.assert_array_equal(found.output, expected.output)
    assert found.steps == steps + len(expected.counts)


def test_few_steps_and_wide_input(tmp_path: Path) -> None:
    network = lowered(BACKEND, chain_model("strided_conv", tmp_path, levels=63), steps=4)
    BACKEND.emit(network, tmp_path)
    x = samples(network)
    found, expected = LoihiEmulator(tmp_path).run(x), run(network.graph, x, 4, 0)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], counts)


def test_the_demo_network_keeps_its_accuracy(tmp_path: Path) -> None:
    demo = Path(str(files("onnx2snn"))) / "demo"
    network = lowered(BACKEND, demo / "digits.onnx")
    BACKEND.emit(network, tmp_path)
    with np.load(demo / "digits.npz") as data:
        x, y = data["x"], data["y"]
    found = LoihiEmulator(tmp_path).run(x)
    assert (found.output.argmax(axis=1) == y).mean() > 0.97
    expected = run(network.graph, x[:20], network.schedule.steps, 0)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population][:20], counts)


def test_chunks_change_nothing(network: Network, tables: Path) -> None:
    x, done = samples(network), list[int]()
    emulator = LoihiEmulator(tables)
    whole = emulator.run(x)
    emulator.chunk = 7
    parts = emulator.run(x, done.append)
    np.testing.assert_array_equal(parts.output, whole.output)
    assert done == [7, 14, 21, 24]


def test_samples_must_fit(tables: Path) -> None:
    with pytest.raises(DataError, match=r"samples \(2, 8, 8\) expected, found \(2, 8, 9\)"):
        LoihiEmulator(tables).run(np.zeros((1, 2, 8, 9)))


def test_synaptic_sums_that_overflow_are_an_error(network: Network, tables: Path) -> None:
    edit_json(tables, lambda t: t["populations"][1]["synapse"].update(weight_exponent=7))
    edit_array(tables, f"{SECOND}/weight", lambda weight: weight.fill(254))
    with pytest.raises(BackendError, match=r"DequantizeLinear_\d: synaptic sums of .* overflow 16 bits"):
        LoihiEmulator(tables).run(samples(network))


@pytest.mark.parametrize("seed", range(8))
def test_no_input_drives_a_membrane_past_its_bounds(seed: int, tmp_path: Path) -> None:
    """Currents at the ends of their range, switched at random, and all one way."""
    network, random = lowered(BACKEND, chain_model("dense", tmp_path)), np.random.default_rng(seed)
    steps = network.schedule.steps
    for population in chain_of(network.graph).populations[1:]:
        ends = population.current(steps)
        least, most = population.membrane(steps)
        turn = random.random()
        v = population.start(steps)
        for tick in range(steps):
            up = random.random(population.size) < 0.5 if seed % 2 else np.full(population.size, tick / steps < turn)
            v = v + np.where(up, ends[1], ends[0])
            assert (least <= v).all()
            assert (v <= most).all()
            v = np.where(v >= population.theta, v - population.theta, v)


# -- the design rules ------------------------------------------------------------------------------------------------


def changed(network: Network, name: str, **fields: Any) -> Network:
    """The network with other fields in one op."""
    graph = network.graph.copy()
    graph.replace(name, replace(graph[name].op, **fields))
    return replace(network, graph=graph)


def broken(network: Network) -> str:
    with pytest.raises(BackendError) as caught:
        BACKEND.check(network)
    return str(caught.value)


def test_branches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError) as caught:
        lowered(BACKEND, residual(tmp_path / "m.onnx"))
    assert "(chain networks only)" in str(caught.value)
    assert "joins 2 branches" in str(caught.value)
    assert "feeds 2 ops" in str(caught.value)


def test_max_pools_over_spikes_are_refused(tmp_path: Path) -> None:
    network = lowered(BACKEND, lenet(tmp_path / "m.onnx"))  # its max-pool moves to the host
    graph = network.graph.copy()
    (pool,) = graph.of(MaxPool)
    (reader,) = graph.consumers(graph.of(Neuron)[0].name)
    graph.insert_before(reader.name, replace(pool.op, kernel=(1, 1), strides=(1, 1)), "late")
    assert "(no max pool between populations) late (MaxPool" in broken(replace(network, graph=graph))


def test_other_neurons_and_settle_steps_are_refused(network: Network) -> None:
    op = network.graph[FIRST].op
    assert isinstance(op, Neuron)
    assert "starts at a membrane outside [0, theta)" in broken(changed(network, FIRST, v0=op.theta))
    assert "(no settle steps) 3 settle steps" in broken(replace(network, schedule=Schedule(15, 3)))


def test_all_broken_rules_are_reported_at_once(network: Network) -> None:
    message = broken(
        replace(changed(network, SECOND, theta=np.full(12, 40_000), v0=np.zeros(12, int)), schedule=Schedule(15, None))
    )
    assert "(no settle steps) auto settle steps" in message
    assert "(thresholds fit) DequantizeLinear_5" in message
    assert "needs thresholds of 40000, 1 to 32767 expected; coarser activations" in message


def test_weights_beyond_8_bits_are_refused(network: Network) -> None:
    name = network.graph[SECOND].inputs[0]
    op = network.graph[name].op
    assert isinstance(op, Dense)
    weight = op.weight.astype(np.int64)
    weight[0, 0] = 128
    assert "(weights fit 8 bit mantissas) Gemm_2 (Dense, from Gemm '/Gemm_2')" in broken(
        changed(network, name, weight=weight)
    )


def test_sums_membranes_and_biases_that_do_not_fit_are_refused(network: Network) -> None:
    op = network.graph[SECOND].op
    assert isinstance(op, Neuron)
    message = broken(changed(network, SECOND, shift=op.shift + 4))
    assert "(synaptic sums fit 16 bits) Gemm_2" in message
    assert "(membranes fit 24 bits) DequantizeLinear_5" in message
    assert "fewer --weight-bits narrow it" in message
    message = broken(changed(network, SECOND, bias=np.full(12, 4096 * 15)))
    assert "(biases fit 13 bits) DequantizeLinear_5" in message
    assert "needs bias mantissas of 4096" in message
    message = broken(changed(network, FIRST, theta=np.full(20, 5000), v0=np.zeros(20, int)))
    assert "(biases fit 13 bits) DequantizeLinear_3" in message
    assert "quantising the model's input" in message


def test_a_large_network_takes_several_chips(tmp_path: Path) -> None:
    network = _enlarged(lowered(BACKEND, chain_model("strided_conv", tmp_path)))
    BACKEND.check(network)
    BACKEND.emit(network, tmp_path)
    assert BACKEND.audit(network, tmp_path) == []
    said = BACKEND.footprint(tmp_path)
    assert said.data["chips"] == -(-said.data["cores"] // 128) > 1
    assert f"{said.data['cores']} cores on {said.data['chips']} chips of loihi1" in said.sentences[0]
    assert "most of all layers, because of" in said.data["binding"]


def test_a_layer_with_too_many_inputs_is_refused(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 2], seed=1)
    y = step(m, m.gemm(m.quantise("x", 1 / 15, 0, 15), 2, 4200), 0.4)
    model = m.save(m.gemm(y, 4200, 2), tmp_path / "wide.onnx")
    with pytest.raises(BackendError, match=r"\(every layer fits cores\) .* needs 4200 input axons, a core has 4096"):
        lowered(BACKEND, model)


def test_loihi_2_resets_at_once_in_one_compartment(tmp_path: Path) -> None:
    """The same tables otherwise, the same counts."""
    backend = LoihiBackend("loihi2")
    network = lowered(backend, chain_model("strided_conv", tmp_path))
    backend.emit(network, tmp_path)
    assert backend.audit(network, tmp_path) == []
    tables = json.loads((tmp_path / "tables.json").read_text())
    assert (tables["chip"], tables["populations"][1]["reset"]) == ("loihi2", "microcode")
    assert tables["populations"][1]["compartments"] == int(np.prod(tables["populations"][1]["shape"]))
    x = samples(network)
    found, expected = LoihiEmulator(tmp_path).run(x), run(network.graph, x, network.schedule.steps, 0)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], counts)
    assert any("microcode" in sentence for sentence in backend.footprint(tmp_path).sentences)
    edit_json(tmp_path, lambda t: t.update(chip="loihi1"))
    with pytest.raises(ArtifactError, match="reset two-compartment with"):
        LoihiEmulator(tmp_path)


def test_backends_have_options(tmp_path: Path) -> None:
    assert load_backend("loihi") == LoihiBackend()
    assert load_backend('loihi{chip="loihi2"}') == LoihiBackend("loihi2")
    assert str(LoihiBackend("loihi2")) == 'loihi{chip="loihi2"}'
    with pytest.raises(UsageError, match="no chip 'loihi3'; known: loihi1, loihi2"):
        load_backend('loihi{chip="loihi3"}')
    with pytest.raises(UsageError, match="backend loihi: one of the options chip expected at 'size=3}'"):
        load_backend("loihi{size=3}")
    with pytest.raises(UsageError, match="nothing more expected behind its options, found 'x'"):
        load_backend('loihi{chip="loihi2"}x')
    manifest = convert(chain_model("dense", tmp_path)).save(tmp_path / "out", 'loihi{chip="loihi2"}')
    assert manifest.backend == 'loihi{chip="loihi2"}'
    assert open_artifact(tmp_path / "out").backend == LoihiBackend("loihi2")


def test_all_neurons_of_a_layer_have_one_threshold(tmp_path: Path) -> None:
    """The scales of channels differ, a core's thresholds may not: the initial membranes make up for it."""
    network = lowered(BACKEND, chain_model("negative_gamma", tmp_path))
    BACKEND.emit(network, tmp_path)
    thresholds = [p.theta for p in chain_of(network.graph).populations]
    assert all(len(set(theta.tolist())) > 2 for theta in thresholds)
    tables, arrays = json.loads((tmp_path / "tables.json").read_text()), load_file(tmp_path / "tables.safetensors")
    for layer in tables["populations"]:
        exponents = 1 << np.array(layer["reset_exponents"])
        reset = (arrays[f"{layer['name']}/reset"].astype(np.int64) * exponents[:, None]).sum(axis=0)
        assert layer["threshold"] == reset.max() - 1


def test_the_audit_finds_neurons_on_other_cores(network: Network, tables: Path) -> None:
    path = tables / "cores.json"
    cores = json.loads(path.read_text())
    cores["layers"][1]["use"][0][0] += 4
    path.write_text(json.dumps(cores))
    assert BACKEND.audit(network, tables) == ["cores.json: DequantizeLinear_5: use is not the network's"]
    cores["layers"][1]["use"][0][0] = 1028
    cores["chips"] = 2
    path.write_text(json.dumps(cores))
    assert BACKEND.audit(network, tables) == [
        "cores.json: core 1 of DequantizeLinear_5 takes more compartments than 1024",
        "cores.json: chips 2, 1 expected",
        "cores.json: DequantizeLinear_5: use is not the network's",
    ]
    path.write_text("{}")
    assert "cores.json: chip: Field required" in BACKEND.audit(network, tables)[0]
    path.unlink()
    assert "cores.json: cannot be read: No such file" in BACKEND.audit(network, tables)[0]


def _enlarged(network: Network) -> Network:
    """The strided convolutions over a much larger picture."""
    graph = Graph("large")
    for node in network.graph:
        if isinstance(node.op, Input):
            graph.add(node.name, Input(shape=(2, 160, 160)))
        elif isinstance(node.op, Reshape):
            break
        else:
            graph.add(node.name, node.op, node.inputs, node.origin)
    last = [node.name for node in graph][-1]
    graph.outputs = (graph.add("readout", Readout(scale=np.ones(()), bias=np.zeros(())), [last]),)
    return replace(network, graph=graph)
