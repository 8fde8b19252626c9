"""Trained spiking networks from NIR files: what they mean, step by step, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

nir = pytest.importorskip("nir", reason="needs the extra nir")

from command import onnx2snn  # noqa: E402
from nir_files import DT, B, W, chain, cuba, ends, integrate_and_fire, lif, spikes, synapse, write  # noqa: E402

from onnx2snn import convert, inspect  # noqa: E402
from onnx2snn.errors import BackendError, UsageError  # noqa: E402
from onnx2snn.flow.reading import read_again  # noqa: E402
from onnx2snn.frontends.nir import Discretisation, read_nir  # noqa: E402
from onnx2snn.ir import same  # noqa: E402
from onnx2snn.ir.ops import LIF, Neuron  # noqa: E402

# -- what it computes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("beta", [0.5, 0.75, 0.9])
def test_a_leaky_neuron_spikes_as_its_author_means(reset: str, beta: float, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((7, 3)).astype(np.float32)
    found = convert(chain(tmp_path, lif(2, beta)), steps=12, reset=reset).simulate(x)
    expected = spikes(np.repeat((x @ W.T + B)[None], 12, axis=0), beta, 1.0, reset)
    np.testing.assert_array_equal(found.counts["n2"], expected.sum(axis=0))
    np.testing.assert_allclose(found.output, expected.sum(axis=0))
    assert expected.sum() > 20


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.75), (0.9, 0.5), (0.75, 0.75), (0.0, 0.9)])
def test_a_synaptic_current_goes_before_the_membrane(reset: str, alpha: float, beta: float, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((7, 3)).astype(np.float32)
    found = convert(chain(tmp_path, cuba(2, alpha, beta, 3.0)), steps=12, reset=reset).simulate(x)
    current = synapse(np.repeat((x @ W.T + B)[None], 12, axis=0), alpha)
    expected = spikes(current, beta, 3.0, reset)
    np.testing.assert_array_equal(found.counts["n2"], expected.sum(axis=0))
    assert expected.sum() > 10


def test_the_equations_of_a_synaptic_current_in_both_integrators(tmp_path: Path) -> None:
    """r, w_in, v_leak and both time constants, stepped as NIR writes them."""
    low, steps = np.full(2, -0.5), 20
    cell = cuba(2, 0.5, 0.8, 1.0, r=np.full(2, 2.0), w_in=np.full(2, 3.0), v_leak=low, v_reset=low)
    path = chain(tmp_path, cell)
    x = np.random.default_rng(4).random((9, 3)).astype(np.float32)
    arriving = x @ W.T + B
    for integrator in ("euler", "exponential"):
        part = [DT / t[0] if integrator == "euler" else 1 - np.exp(-DT / t[0]) for t in (cell.tau_syn, cell.tau_mem)]
        i, v, counts = np.zeros_like(arriving), np.full(arriving.shape, -0.5), np.zeros(arriving.shape)
        for _ in range(steps):
            i = i + part[0] * (-i + 3.0 * arriving)
            v = v + part[1] * (-0.5 - v + 2.0 * i)
            counts += v >= 1.0
            v = np.where(v >= 1.0, -0.5, v)
        found = convert(path, steps=steps, integrator=integrator).simulate(x)
        np.testing.assert_array_equal(found.counts["n2"], counts)
        assert counts.sum() > 10


def test_a_synapse_without_memory_is_none(tmp_path: Path) -> None:
    """A time constant of one step, in float32, which has no 0.0001."""
    short = cuba(2, 0.0, 0.75, tau_syn=np.full(2, DT, np.float32), w_in=np.ones(2))
    for cell in (cuba(2, 0.0, 0.75), short):
        (found,), (plain,) = (read_nir(chain(tmp_path, neuron)).graph.of(LIF) for neuron in (cell, lif(2, 0.75)))
        assert same(found.op, plain.op)


def test_a_current_in_whole_numbers_is_bounded(tmp_path: Path) -> None:
    first, last = ends(3, 2)
    codes = np.array([[3, -2, 7], [5, 4, -6]])
    layers = nir.Linear(codes * 0.125), cuba(2, 0.7, 0.9, 4.0), nir.Linear(np.eye(2)), cuba(2, 0.5, 0.5, 2.0)
    path = write(tmp_path / "net.nir", first, *layers, last)
    x = np.random.default_rng(3).random((40, 3)).astype(np.float32)
    real, whole = (convert(path, steps=24, integer=integer) for integer in (False, True))
    assert not convert(path, steps=24).network.integer
    assert real.certificate["n2"].exactness == "analog"
    assert {whole.certificate[name].exactness for name in ("n2", "n4")} == {"analog", "bounded"}
    assert not whole.certificate.exact
    first_counts, second = (net.simulate(x).counts["n2"] for net in (real, whole))
    assert first_counts.sum() > 100
    assert np.abs(first_counts - second).sum() <= 0.02 * first_counts.sum()
    with pytest.raises(BackendError, match=r"cannot run code lif; .*; neurons that leak run on numpy, torch and loihi"):
        whole.save(tmp_path / "chip", backend="tianjic")


@pytest.mark.parametrize(("r", "dt"), [(1.0, None), (1.0 / DT, None), (100.0, 0.01)])
def test_an_integrator_adds_its_input_whichever_way_its_unit_of_time_is_written(
    r: float, dt: float | None, tmp_path: Path
) -> None:
    x = np.random.default_rng(1).random((5, 3)).astype(np.float32)
    path = chain(tmp_path, integrate_and_fire(2, 1.5, r))
    found = convert(path, steps=10, reset="subtract", dt=dt)
    assert found.network.code == "if"
    expected = spikes(np.repeat((x @ W.T + B)[None], 10, axis=0), 1.0, 1.5, "subtract")
    np.testing.assert_array_equal(found.simulate(x).counts["n2"], expected.sum(axis=0))


def test_rest_and_reset_potentials_shift_the_threshold(tmp_path: Path) -> None:
    """v_leak = v_reset = -0.5: all potentials are measured from there."""
    low = np.full(2, -0.5)
    graph = read_nir(chain(tmp_path, lif(2, 0.75, 1.0, v_leak=low, v_reset=low))).graph
    (neuron,) = graph.of(LIF)
    assert neuron.op.theta == pytest.approx(1.5)  # type: ignore[attr-defined]


def test_exponential_steps_are_exact_in_between(tmp_path: Path) -> None:
    path = chain(tmp_path, lif(2, 0.75))
    (neuron,) = read_nir(path, Discretisation(integrator="exponential")).graph.of(LIF)
    op = neuron.op
    assert isinstance(op, LIF)
    assert op.decay == pytest.approx(np.exp(-0.25))
    assert op.theta == pytest.approx(1 / (4 * (1 - np.exp(-0.25))))


def test_several_layers_pools_and_a_branch(tmp_path: Path) -> None:
    """Two edges into one node are added up; AvgPool divides; Flatten counts axes without the batch."""
    rng = np.random.default_rng(2)
    kernel = rng.normal(size=(2, 1, 3, 3))
    dense = rng.normal(size=(4, 8))
    shape = (2, 4, 4)
    ones, zeros = np.ones(shape), np.zeros(shape)
    nodes = {
        "in": nir.Input({"input": np.array([1, 6, 6])}),
        "conv": nir.Conv2d((6, 6), kernel, 1, 0, 1, 1, np.zeros(2)),
        "fire": nir.IF(r=ones, v_threshold=ones, v_reset=zeros),
        "again": nir.Scale(scale=np.full(shape, 0.5)),
        "fire2": nir.IF(r=ones, v_threshold=ones, v_reset=zeros),
        "pool": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([2, 2, 2])}, 0, -1),
        "fc": nir.Linear(dense),
        "out": nir.Output({"output": np.array([4])}),
    }
    edges = [("in", "conv"), ("conv", "fire"), ("fire", "again"), ("again", "fire2"), ("conv", "fire2")]
    edges += [("fire2", "pool"), ("pool", "flat"), ("flat", "fc"), ("fc", "out")]
    nir.write(str(tmp_path / "net.nir"), nir.NIRGraph(nodes, edges, type_check=False))
    x = rng.random((3, 1, 6, 6)).astype(np.float32)
    found = convert(tmp_path / "net.nir", steps=8, reset="subtract").simulate(x)

    windows = np.lib.stride_tricks.sliding_window_view(x[:, 0].astype(float), (3, 3), axis=(1, 2))
    current = np.repeat(np.einsum("nijab,oab->noij", windows, kernel[:, 0])[None], 8, axis=0)
    first = spikes(current, 1.0, 1.0, "subtract")
    second = spikes(current + 0.5 * first, 1.0, 1.0, "subtract")
    np.testing.assert_array_equal(found.counts["fire2"], second.sum(axis=0))
    pooled = second.reshape(8, 3, 2, 2, 2, 2, 2).mean(axis=(4, 6)).reshape(8, 3, 8)
    np.testing.assert_allclose(found.output, (pooled @ dense.T).sum(axis=0), atol=1e-12)


def test_a_graph_in_the_graph_is_written_out(tmp_path: Path) -> None:
    first, last = ends(2, 2)
    inner = nir.NIRGraph(
        {"a": first, "cell": integrate_and_fire(2), "b": last}, [("a", "cell"), ("cell", "b")], type_check=False
    )
    first, last = ends(3, 2)
    path = write(tmp_path / "net.nir", first, nir.Linear(W), inner, last)
    graph = read_nir(path).graph
    assert [node.name for node in graph] == ["n0", "n1", "n2.cell", "n3"]


@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.sampled_from(["same", "valid", 1, (0, 2)]), st.data()
)
def test_convolutions_have_the_shape_that_their_author_sees(
    tmp_path_factory: pytest.TempPathFactory, kernel: int, dilation: int, extra: int, padding: Any, data: st.DataObject
) -> None:
    stride = 1 if padding == "same" else data.draw(st.integers(1, 2))
    size = dilation * (kernel - 1) + 1 + extra + 2
    layer = nir.Conv2d((size, size), np.ones((2, 1, kernel, kernel)), stride, padding, dilation, 1, np.zeros(2))
    if padding == "same":
        height = width = size
    else:
        pads = {"valid": (0, 0), 1: (1, 1), (0, 2): (0, 2)}[padding]
        height, width = ((size + 2 * p - dilation * (kernel - 1) - 1) // stride + 1 for p in pads)
    nodes = nir.Input({"input": np.array([1, size, size])}), layer, nir.Output({"output": np.array([2, height, width])})
    graph = read_nir(write(tmp_path_factory.mktemp("conv") / "c.nir", *nodes)).graph
    assert graph.shape("n1") == (2, height, width)


# -- what the file says, and the user --------------------------------------------------------------------------------


def test_metadata_speak_and_the_user_has_the_last_word(tmp_path: Path) -> None:
    path = chain(tmp_path, integrate_and_fire(2), reset="subtract", dt=0.5, steps=7)
    reading = read_nir(path)
    assert (reading.steps, reading.settings) == (7, 'nir{dt=0.5, reset="subtract", integrator="euler"}')
    assert convert(path).network.schedule.steps == 7
    assert convert(path, steps=3, reset="zero").network.code == "lif"
    assert read_nir(chain(tmp_path, integrate_and_fire(2))).settings.startswith('nir{dt=0.0001, reset="zero"')


def test_an_explicit_reset_overrides_that_of_single_neurons_and_convert_says_so(tmp_path: Path) -> None:
    """What a neuron's own metadata say is a default as well."""
    own = integrate_and_fire(2)
    own.metadata = {"reset": "subtract"}
    first, last = ends(3, 2)
    path = write(tmp_path / "net.nir", first, nir.Linear(W), own, nir.Linear(np.eye(2)), integrate_and_fire(2), last)
    asked = convert(path, steps=4, reset="zero")
    assert {node.op.reset for node in asked.network.graph.of(LIF)} == {"zero"}  # type: ignore[attr-defined]
    said = "reset zero, as asked, overrides subtract, which the metadata of node 'n2' say"
    assert asked.network.notes == (said,)
    done = onnx2snn("convert", path, "-o", tmp_path / "out", "--steps", 4, "--reset", "zero")
    assert (done.code, said in done.err) == (0, True)

    left, right = convert(path, steps=4).network.graph.of(LIF)
    assert [left.op.reset, right.op.reset] == ["subtract", "zero"]  # type: ignore[attr-defined]
    again = read_again(path, read_nir(path).settings).graph
    assert [node.op.reset for node in again.of(LIF)] == ["subtract", "zero"]  # type: ignore[attr-defined]
    assert convert(path, steps=4, reset="subtract").network.notes == ()


def test_a_file_cannot_ask_for_a_run_without_end(tmp_path: Path) -> None:
    path = chain(tmp_path, integrate_and_fire(2), steps=10**9)
    with pytest.raises(UsageError, match="its file asks for 1000000000, at most 65535 expected"):
        convert(path)
    assert convert(path, steps=4).network.schedule.steps == 4
    assert inspect(path).ok


def test_neurons_are_of_one_kind_throughout(tmp_path: Path) -> None:
    first, last = ends(3, 2)
    layers = nir.Linear(W), integrate_and_fire(2), nir.Linear(np.eye(2)), lif(2, 0.5)
    graph = read_nir(write(tmp_path / "net.nir", first, *layers, last), Discretisation(reset="subtract")).graph
    assert [type(node.op) for node in graph.of(Neuron)] == [LIF, LIF]
    assert [node.op.decay for node in graph.of(LIF)] == [1.0, pytest.approx(0.5)]  # type: ignore[attr-defined]


def test_inspect_names_every_node(tmp_path: Path) -> None:
    found = inspect(chain(tmp_path, lif(2, 0.5)))
    assert found.ok
    assert [row.op for row in found.nodes] == ["Input", "Affine", "LIF", "Output"]
    assert "fires from 1, keeps 0.5 a step, resets to zero" in found.nodes[2].note
    held = inspect(chain(tmp_path, cuba(2, 0.25, 0.5)))
    assert "keeps 0.5 a step, resets to zero, its current keeps 0.25 a step" in held.nodes[2].note
