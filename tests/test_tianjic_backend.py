"""The TianjicX tables: written, read back, checked and emulated."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chain_models import CHAINS, chain_model, lowered, samples, step
from models import ModelBuilder, lenet, residual
from safetensors.numpy import load_file

from onnx2snn.artifact import Network, Schedule
from onnx2snn.backends.chains import Geometry
from onnx2snn.backends.chains.partition import read_cores
from onnx2snn.backends.tianjic import TianjicBackend, TianjicEmulator, chip
from onnx2snn.backends.tianjic.emulator import lif_plus, mac
from onnx2snn.backends.tianjic.schema import P08
from onnx2snn.errors import BackendError, UsageError
from onnx2snn.ir.ops import Conv, Dense, MaxPool, Neuron, Reshape
from onnx2snn.plugins import load_backend
from onnx2snn.reference import run

BACKEND = TianjicBackend()
FIRST, SECOND = "DequantizeLinear_3", "DequantizeLinear_5"


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return lowered(BACKEND, chain_model("strided_conv", tmp_path))


@pytest.fixture
def tables(network: Network, tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    BACKEND.emit(network, folder)
    return folder


# -- the emulator ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHAINS)
def test_every_count_equals_the_reference(name: str, tmp_path: Path) -> None:
    network = lowered(BACKEND, chain_model(name, tmp_path))
    assert all(v.proven == v.breakpoints for v in network.certificate.verdicts)  # its words are long enough
    BACKEND.emit(network, tmp_path)
    assert BACKEND.audit(network, tmp_path) == []
    x, steps = samples(network), network.schedule.steps
    found, expected = TianjicEmulator(tmp_path).run(x), run(network.graph, x, steps, 0)
    assert list(found.counts) == list(expected.counts)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], counts)
        assert 0 < counts.mean() < steps
    assert found.spikes == expected.spikes
    np.testing.assert_array_equal(found.output, expected.output)
    assert found.steps == steps + len(expected.counts)


def test_the_demo_network_keeps_its_accuracy(tmp_path: Path) -> None:
    demo = Path(str(files("onnx2snn"))) / "demo"
    network = lowered(BACKEND, demo / "digits.onnx")
    BACKEND.emit(network, tmp_path)
    with np.load(demo / "digits.npz") as data:
        x, y = data["x"], data["y"]
    found = TianjicEmulator(tmp_path).run(x)
    assert (found.output.argmax(axis=1) == y).mean() > 0.97
    expected = run(network.graph, x[:20], network.schedule.steps, 0)
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population][:20], counts)


@pytest.mark.parametrize("name", CHAINS)
def test_products_in_the_order_of_the_chip_give_the_same_sums(name: str, tmp_path: Path) -> None:
    network = lowered(BACKEND, chain_model(name, tmp_path))
    BACKEND.emit(network, tmp_path)
    random = np.random.default_rng(0)
    for layer in TianjicEmulator(tmp_path).layers[1:]:
        assert layer.axon is not None
        spikes = random.integers(0, 2, (3, int(np.prod(layer.axon.geometry.source)))).astype(bool)
        assert layer.axon.safe
        expected = layer.axon.sum(spikes)
        np.testing.assert_array_equal(layer.axon.sum_in_order(spikes), expected)
        layer.axon.safe = False
        np.testing.assert_array_equal(layer.axon.sum(spikes), expected)


def test_sums_saturate_after_every_product() -> None:
    most = (1 << 31) - 1
    inputs, weights = np.array([1, 1, 1]), np.array([100, -100, 7])
    assert mac(np.array(most - 10), inputs, weights) == most - 93
    assert mac(np.array(-most), inputs, -weights) == -most - 1 + 93


@pytest.mark.parametrize(
    ("v", "uin", "mode", "after", "spike", "before"),
    [
        (10, 5, 1, 3, True, 15),
        (10, 2, 1, 12, False, 12),  # the comparison is strict
        (10, 5, 3, 15, True, 15),
        ((1 << 27) - 3, 9, 3, (1 << 27) - 1, True, (1 << 27) - 1),
        (-(1 << 27) + 3, -9, 1, -(1 << 27), False, -(1 << 27)),
    ],
)
def test_lif_plus(v: int, uin: int, mode: Any, after: int, spike: bool, before: int) -> None:
    soma = P08(vth0=8, tw_len=99, reset_mode=mode, fire_type=4)
    found = lif_plus(np.array([v]), np.array([uin]), np.array([4]), soma)
    assert [a[0] for a in found] == [after, spike, before]


# -- the order of memory ---------------------------------------------------------------------------------------------


def test_weights_of_a_convolution_lie_in_groups_of_32_outputs(network: Network, tables: Path) -> None:
    image = load_file(tables / "tables.safetensors")[f"{SECOND}/weight"]
    op = network.graph["Conv_2"].op
    neuron = network.graph[SECOND].op
    assert isinstance(op, Conv)
    assert isinstance(neuron, Neuron)
    repeats = chip.repeats_of(op.weight.astype(np.int64) << neuron.shift)
    assert image.shape == (1, 1, 3, 2, 16 * repeats, 32)
    assert image.dtype == np.int8
    copies = image.reshape(3, 2, repeats, 16, 32).sum(axis=2, dtype=np.int64)
    found = copies[:, :, :4, :6].transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(found, op.weight.astype(np.int64) << neuron.shift)
    assert not copies[:, :, 4:].any()
    assert not copies[..., 6:].any()


def test_a_dense_layer_reads_pixels_with_channels_last(network: Network, tables: Path) -> None:
    image = load_file(tables / "tables.safetensors")["readout/weight"]
    op = network.graph["Gemm_1"].op
    assert isinstance(op, Dense)
    assert image.shape == (1, 4 * 8 * 16, 32)
    pixels = image.reshape(4, 8, 16, 32)
    for y, x, channel in [(0, 0, 0), (2, 5, 3), (3, 7, 5)]:
        np.testing.assert_array_equal(pixels[y, x, channel, :5], op.weight[:, (channel * 4 + y) * 8 + x])


@pytest.mark.parametrize("repeats", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_images_of_weights_come_back(repeats: int, groups: int) -> None:
    random = np.random.default_rng(0)
    effective = random.integers(-chip.WEIGHT * repeats, chip.WEIGHT * repeats + 1, (70, 18, 3, 2))
    parts = chip.shared_out(effective, repeats)
    assert np.abs(parts).max() <= chip.WEIGHT
    np.testing.assert_array_equal(parts.sum(axis=0), effective)
    image = chip.conv_image(parts, groups)
    before = (18 * groups, 4, 4)
    window = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "groups": groups}
    geometry = Geometry(kind="conv", source=before, reads=before, makes=(70, 2, 3), **window)
    assert image.size == chip.image_bytes(effective.shape, repeats, geometry)
    np.testing.assert_array_equal(chip.conv_parts(image, repeats, 70, 18), parts)
    flat, source = parts.reshape(repeats, 70, -1), (18, 3, 2)
    image = chip.dense_image(flat, source)
    geometry = Geometry(kind="dense", source=source, reads=(108,), makes=(70,))
    assert image.size == chip.image_bytes((70, 108), repeats, geometry)
    np.testing.assert_array_equal(chip.dense_parts(image, repeats, 70, source), flat)


def test_vectors_come_back() -> None:
    values = np.arange(24)
    assert chip.to_memory(values, (2, 3, 4))[:4].tolist() == [0, 12, 1, 13]
    np.testing.assert_array_equal(chip.from_memory(chip.to_memory(values, (2, 3, 4)), (2, 3, 4)), values)


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
    with pytest.raises(BackendError, match=r"\(chain networks only\) .* joins 2 branches"):
        lowered(BACKEND, residual(tmp_path / "m.onnx"))


def test_max_pools_over_spikes_are_refused(tmp_path: Path) -> None:
    network = lowered(BACKEND, lenet(tmp_path / "m.onnx"))  # its max-pool moves to the host
    graph = network.graph.copy()
    (pool,) = graph.of(MaxPool)
    (reader,) = graph.consumers(graph.of(Neuron)[0].name)
    graph.insert_before(reader.name, replace(pool.op, kernel=(1, 1), strides=(1, 1)), "late")
    assert "(no max pool between populations) late (MaxPool" in broken(replace(network, graph=graph))


def test_all_broken_rules_are_reported_at_once(network: Network) -> None:
    op = network.graph["Conv_2"].op
    assert isinstance(op, Conv)
    wide = changed(network, "Conv_2", weight=op.weight.astype(np.int64) * 128)
    message = broken(replace(wide, schedule=Schedule(15, None)))
    assert "(no settle steps) auto settle steps asked for" in message
    assert "(weights fit int8) Conv_2 (Conv, from Conv '/Conv_2') needs weights of" in message
    assert "-508 to 508 expected; --weight-bits 8 or fewer helps" in message


def test_sums_and_states_that_do_not_fit_are_refused(network: Network) -> None:
    many = np.full((6, 1, 1), 1 << 27)
    message = broken(changed(network, SECOND, theta=many, v0=0 * many))
    assert "(states fit 28 bits) DequantizeLinear_5" in message
    assert "-134217727 to 134217727 expected" in message
    message = broken(changed(network, SECOND, bias=15 * ((1 << 31) - 3) + 0 * many))
    assert "(sums fit 32 bits) Conv_2" in message


def test_biases_that_vary_within_a_channel_are_refused(network: Network) -> None:
    bias = np.zeros((6, 4, 8), np.int64)
    bias[1, 2, 3] = 15
    message = broken(changed(network, SECOND, bias=bias))
    assert "(biases are per channel) DequantizeLinear_5" in message


def test_reshapes_that_move_memory_are_refused(network: Network) -> None:
    graph = network.graph.copy()
    graph.insert_before("Conv_2", Reshape(shape=(4, 8, 8)), "same")
    BACKEND.check(replace(network, graph=graph))
    one = np.ones((), np.int64)
    twisted = changed(network, SECOND, theta=one, v0=0 * one, bias=0 * one).graph
    twisted.insert_before(SECOND, Reshape(shape=(12, 4, 4)), "twist")
    assert "(reshape only flattens) Conv_2" in broken(replace(network, graph=twisted))


def test_convolutions_over_one_axis_are_refused(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 2, 8])
    y = step(m, m.conv(m.quantise("x", 1 / 15, 0, 15), 2, 4, kernel=(3,)), 0.4)
    y = step(m, m.conv(y, 4, 4, kernel=(3,)), 0.4)
    with pytest.raises(BackendError, match=r"\(convolutions have two axes\) Conv_2 .* goes over 1 axes, 2 expected"):
        lowered(BACKEND, m.save(m.gemm(m.node("Flatten", y), 16, 5), tmp_path / "m.onnx"))


def test_a_wide_layer_takes_many_cores(network: Network, tmp_path: Path) -> None:
    wide = replace(network.graph["Gemm_1"].op, weight=np.ones((60_000, 192), np.int8))  # type: ignore[call-arg]
    graph = network.graph.copy()
    graph.replace("readout", replace(graph["readout"].op, scale=np.ones(()), bias=np.zeros(())))  # type: ignore[call-arg]
    graph.replace("Gemm_1", wide)
    enlarged = replace(network, graph=graph)
    BACKEND.check(enlarged)
    BACKEND.emit(enlarged, tmp_path)
    assert BACKEND.audit(enlarged, tmp_path) == []
    *_, readout = read_cores(tmp_path).layers
    assert (readout.cores, readout.fullest.limit) == (-(-60_000 // readout.box[0]), 128 << 10)
    assert readout.fullest.used > 110 << 10


def test_the_chip_of_2019_is_a_model_of_resources(network: Network, tmp_path: Path) -> None:
    backend = load_backend('tianjic{chip="tianjic2019", weight_bits=5}')
    backend.check(network)
    backend.emit(network, tmp_path)
    assert backend.audit(network, tmp_path) == []
    said = backend.footprint(tmp_path)
    assert said is not None
    assert "unverified: weights of 5 bits" in " ".join(said.sentences)
    with pytest.raises(UsageError, match="are for chip tianjic2019"):
        load_backend("tianjic{weight_bits=5}")
    with pytest.raises(UsageError, match="weight_bits from 1 to 32"):
        load_backend('tianjic{chip="tianjic2019", weight_bits=0}')
