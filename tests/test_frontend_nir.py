"""Trained spiking networks from NIR files: what they mean, step by step, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

nir = pytest.importorskip("nir", reason="needs the extra nir")

import h5py  # noqa: E402
from command import onnx2snn  # noqa: E402
from nir_files import DT, cuba, ends, integrate_and_fire, lif, spikes, synapse, write  # noqa: E402

from onnx2snn import convert, inspect  # noqa: E402
from onnx2snn.errors import BackendError, MissingExtraError, ModelError, UnsupportedOpError, UsageError  # noqa: E402
from onnx2snn.flow.reading import read_again  # noqa: E402
from onnx2snn.frontends.nir import RULES, Discretisation, read_nir  # noqa: E402
from onnx2snn.ir import same  # noqa: E402
from onnx2snn.ir.ops import IF, LIF, Conv, Neuron, Readout, Reshape  # noqa: E402

W = np.array([[0.5, -0.25, 1.0], [0.75, 0.5, -0.5]])
B = np.array([0.125, -0.0625])


def chain(path: Path, neuron: Any, **metadata: Any) -> Path:
    first, last = ends(3, 2)
    return write(path / "snn.nir", first, nir.Affine(weight=W, bias=B), neuron, last, **metadata)


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


# -- what is refused --------------------------------------------------------------------------------------------------


def test_every_rule_has_a_test_or_a_refusal() -> None:
    assert set(RULES) == {
        *("Input", "Affine", "Linear", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Scale"),
        *("IF", "LIF", "CubaLIF", "Threshold"),
    }


@pytest.mark.parametrize(
    ("neuron", "words"),
    [
        (lif(2, 0.5, tau=np.array([1e-3, 2e-3])), "tau: one time constant for the layer expected"),
        (lif(2, 0.5, tau=np.full(2, 1e-5)), "tau: at least a step of dt = 0.0001 expected"),
        (lif(2, 0.5, tau=np.array([-1.0, 1.0])), "tau: positive time constants expected"),
        (lif(2, 0.5, v_reset=np.full(2, -1.0)), "v_reset: a reset to v_leak expected"),
        (lif(2, 0.5, 0.0), "v_threshold: above the potential at rest expected"),
        (lif(3, 0.5), r"tau: numbers for features \(2,\) expected, found \(3,\)"),
        (lif(2, 0.5, v_threshold=np.array([np.nan, 1])), "v_threshold: finite numbers expected"),
        (integrate_and_fire(2, 1.0, -1.0), "r: positive gains expected"),
        (cuba(2, 0.5, 0.5, w_in=np.zeros(2)), "r, w_in: positive gains expected"),
        (cuba(2, 0.5, 0.5, tau_syn=np.array([1e-3, 2e-3])), "tau_syn: one time constant for the layer expected"),
    ],
)
def test_a_neuron_that_has_no_form_here_is_named_with_its_field(neuron: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"snn.nir > node 'n2' \({type(neuron).__name__}\): {words}"):
        read_nir(chain(tmp_path, neuron))


def test_all_types_without_a_rule_are_named_with_the_reason(tmp_path: Path) -> None:
    first, last = ends(2, 2)
    leaky = nir.LI(tau=np.ones(2), r=np.ones(2), v_leak=np.zeros(2))
    path = write(tmp_path / "net.nir", first, nir.Delay(np.ones(2)), leaky, last)
    with pytest.raises(UnsupportedOpError, match=r"node 'n1' \(Delay: spikes pass on.*node 'n2' \(LI: a leaky"):
        read_nir(path)
    assert "Delay" in inspect(path).problems[0]


def test_a_recurrent_connection_is_named(tmp_path: Path) -> None:
    first, last = ends(2, 2)
    nodes = {"in": first, "cell": lif(2, 0.5), "w": nir.Linear(np.eye(2)), "out": last}
    edges = [("in", "cell"), ("cell", "w"), ("w", "cell"), ("cell", "out")]
    nir.write(str(tmp_path / "r.nir"), nir.NIRGraph(nodes, edges, type_check=False))
    with pytest.raises(ModelError, match=r"recurrent connection (cell -> w -> cell|w -> cell -> w)"):
        read_nir(tmp_path / "r.nir")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"code": "st-bif"}, "code: goes with an ONNX network"),
        ({"most_levels": 3}, "most_levels: goes with an ONNX network"),
        ({"settle": "auto"}, "settle: a number of steps"),
        ({"steps": None}, "steps: a number expected"),
        ({"integrator": "rk4"}, "integrator: euler or exponential expected"),
        ({"dt": -1.0}, "dt: a positive length"),
        ({"dt": 0.0}, "dt: a positive length"),
        ({"reset": "soft"}, "reset: subtract or zero expected"),
    ],
)
def test_options_that_go_with_something_else(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"steps": 4, **options}
    with pytest.raises(UsageError, match=words):
        convert(chain(tmp_path, lif(2, 0.5)), **asked)


def test_a_backend_that_cannot_leak_says_what_would_help(tmp_path: Path) -> None:
    conversion = convert(chain(tmp_path, integrate_and_fire(2)), steps=4)
    with pytest.raises(BackendError, match=r"cannot run code lif; it runs: .*; --reset subtract lets"):
        conversion.save(tmp_path / "chip", backend="tianjic")


def test_without_h5py_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = chain(tmp_path, lif(2, 0.5))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'onnx2snn\[nir\]'"):
        read_nir(path)


# -- files that are none, or worse ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", None])
def test_broken_files_are_told_in_one_line(content: bytes | None, tmp_path: Path) -> None:
    path = chain(tmp_path, lif(2, 0.5))
    path.write_bytes(path.read_bytes()[:1500] if content is None else content)
    with pytest.raises(ModelError, match=r"snn\.nir: a NIR file \(HDF5\) expected") as caught:
        read_nir(path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a NIR file expected, found nothing there"):
        convert(tmp_path / "none.nir", steps=1)
    (tmp_path / "folder.nir").mkdir()
    with pytest.raises(ModelError, match="a NIR file expected, found a folder"):
        read_nir(tmp_path / "folder.nir")


def spoiled(path: Path, how: str) -> None:
    with h5py.File(path, "a") as file:
        nodes: Any = file["node/nodes"]
        if how == "external link":
            nodes["n1/secret"] = h5py.ExternalLink("/etc/passwd", "/")
        elif how == "soft link":
            del nodes["n1/weight"]
            nodes["n1/weight"] = h5py.SoftLink("/node/nodes/n1/bias")
        elif how == "ring":
            del nodes["n1"]
            nodes["n1"] = file["node"]
        elif how == "external data":
            del nodes["n1/weight"]
            nodes["n1"].create_dataset("weight", (2, 3), "f8", external=[("/etc/passwd", 0, 48)])
        elif how == "huge":
            del nodes["n1/weight"]
            nodes["n1"].create_dataset("weight", (1 << 20, 1 << 20), "f8", chunks=(1, 1024))
        elif how == "objects":
            del nodes["n1/weight"]
            nodes["n1"].create_dataset("weight", data=file.ref, dtype=h5py.ref_dtype)
        elif how == "no type":
            del nodes["n1/type"]
        elif how == "edges":
            del file["node/edges"]
            file["node/edges"] = np.zeros((2, 3))
        elif how == "edge to nowhere":
            edges: Any = file["node/edges"]
            edges[0] = [b"n0", b"ghost"]
        elif how == "other root":
            file.move("node", "knot")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("external link", "'secret': plain data expected, found a link"),
        ("soft link", "'weight': plain data expected, found a link"),
        ("ring", "at most 8 graphs inside one another expected"),
        ("external data", "'weight': data inside the file expected"),
        ("huge", "'weight': at most 268435456 entries expected"),
        ("objects", "numbers expected|a word expected|numbers or words expected"),
        ("no type", "a node with a type expected"),
        ("edges", "edges: pairs of names expected"),
        ("edge to nowhere", "found no 'ghost'"),
        ("other root", "a NIR file with a group 'node' expected, found knot"),
    ],
)
def test_files_that_mean_harm(how: str, words: str, tmp_path: Path) -> None:
    path = chain(tmp_path, lif(2, 0.5))
    spoiled(path, how)
    with pytest.raises(ModelError, match=words) as caught:
        read_nir(path)
    assert "\n" not in str(caught.value)


def test_names_from_the_file_are_safe_in_the_text_form(tmp_path: Path) -> None:
    first, last = ends(3, 2)
    nodes = {'a "b" {c}': first, "1": nir.Linear(W), "x;y": integrate_and_fire(2), "..": last}
    edges = [('a "b" {c}', "1"), ("1", "x;y"), ("x;y", "..")]
    nir.write(str(tmp_path / "n.nir"), nir.NIRGraph(nodes, edges, type_check=False))
    found = convert(tmp_path / "n.nir", steps=2, reset="subtract")
    manifest = found.save(tmp_path / "out")
    assert manifest.inputs == {'a "b" {c}': (3,)}
    from onnx2snn.ir import load_graph

    assert load_graph(tmp_path / "out").equal(found.network.graph)
    assert {type(node.op) for node in found.network.graph} >= {IF, Readout}
    assert not found.network.graph.of(Conv, Reshape)
