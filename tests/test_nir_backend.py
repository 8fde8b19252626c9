"""The NIR export, read back and run with subtract reset by a small interpreter of its own."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

nir = pytest.importorskip("nir", reason="the nir extra is not installed")

from nir_interpreter import convert, read_and_run  # noqa: E402

from onnx2snn.backends.nir import FILE  # noqa: E402
from onnx2snn.errors import ArtifactError, MissingExtraError  # noqa: E402
from onnx2snn.flow.conversion.write import save  # noqa: E402
from onnx2snn.flow.evaluation.read_back import paired  # noqa: E402
from onnx2snn.flow.opening import open_artifact  # noqa: E402
from onnx2snn.ir import Graph, parse_graph  # noqa: E402
from onnx2snn.ir.ops import IF  # noqa: E402
from onnx2snn.plugins import load_backend  # noqa: E402
from onnx2snn.reference import run  # noqa: E402
from onnx2snn.testing.conformance import lowered, samples  # noqa: E402
from onnx2snn.testing.strategies import inputs, networks  # noqa: E402

WINDOW = "strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1)"
GRID = "{scale=f64[]{0.5}, zero_point=0, qmin=0, qmax=7}"
SAID = (
    "dense-chain",
    "conv-chain",
    "conv-1d",
    "batch-norm-signs",
    "average-pool",
    "padded-average-pool",
    "residual-add-of-equal-scales",
    "residual-add-of-unequal-scales",
    "add-of-a-node-to-itself",
    "analog-input",
)


@given(st.data())
def test_few_bit_networks_read_back_count_exactly_as_the_reference_does(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Scales are few-bit fractions and steps a power of two: every sum is exact, so every count must be equal."""
    trained = data.draw(networks(dyadic=True, plain=True))
    network = convert(trained, steps=data.draw(st.sampled_from([1, 4, 16])))
    x = data.draw(inputs(trained))
    output, counts = read_and_run(network, tmp_path_factory.mktemp("nir"), x)
    expected = run(network.graph, x, network.schedule.steps, 0)
    for name, found in expected.counts.items():
        np.testing.assert_array_equal(counts[name], found, err_msg=name)
    np.testing.assert_allclose(output, expected.output, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", SAID)
def test_the_file_read_back_counts_as_the_reference_does(case: str, tmp_path: Path) -> None:
    """Sums of irregular floats in another order may tip a membrane that lies at its threshold: one in a hundred."""
    network = lowered(case, load_backend("nir"), "if", "float")
    x = samples(network)
    output, counts = read_and_run(network, tmp_path, x)
    expected = run(network.graph, x, network.schedule.steps, 0)
    close = {name: float((counts[name] == found).mean()) for name, found in expected.counts.items()}
    assert min(close.values()) > 0.99, close
    if min(close.values()) == 1:
        np.testing.assert_allclose(output, expected.output, atol=1e-6)


# -- the file -------------------------------------------------------------------------------------------------------


def test_labelled_approximate_and_the_same_bytes_twice(tmp_path: Path) -> None:
    backend = load_backend("nir")
    network = lowered("conv-chain", backend, "if", "float")
    first, second = save(network, backend, tmp_path / "a"), save(network, backend, tmp_path / "b")
    assert first.fidelity == second.fidelity == "approximate"
    assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()


def test_no_time_of_writing_is_kept(tmp_path: Path) -> None:
    from h5py import File, h5o  # type: ignore[attr-defined]

    network = lowered("conv-chain", load_backend("nir"), "if", "float")
    load_backend("nir").emit(network, tmp_path)
    found: list[str] = []
    with File(tmp_path / FILE) as file:
        file.visititems(lambda name, item: found.append(name) or None)
        assert all(h5o.get_info(file[name].id).mtime == 0 for name in found)
    assert len(found) > 20


def test_what_a_reader_is_told(tmp_path: Path) -> None:
    network = lowered("conv-chain", load_backend("nir"), "if", "float")
    load_backend("nir").emit(network, tmp_path)
    graph = nir.read(str(tmp_path / FILE))
    said = {key: value.decode() if isinstance(value, bytes) else value for key, value in graph.metadata.items()}
    assert (said["reset"], said["dt"], said["steps"], said["code"]) == ("subtract", 1.0, network.schedule.steps, "if")
    assert said["fidelity"] == "approximate"
    for node in network.graph.of(IF):
        assert isinstance(node.op, IF)
        neuron = graph.nodes[node.name]
        assert neuron.v_threshold.shape == network.graph.shape(node.name)
        np.testing.assert_array_equal(neuron.v_threshold, np.broadcast_to(node.op.theta, neuron.v_threshold.shape))
        np.testing.assert_array_equal(neuron.metadata["v0"], neuron.v_threshold / 2)


def test_names_that_the_ends_have_as_well(tmp_path: Path) -> None:
    graph = parse_graph(f"""graph net {{
      x : 2 = input(){{shape=(2)}}
      input : 2 = quantise(x){GRID}
      a/b : 2 = dense(input){{weight=f64[2,2]{{1.0, 2.0, 3.0, 4.0}}}}
      output : 2 = quantise(a/b){GRID}
      a.b : 2 = dense(output){{weight=f64[2,2]{{1.0, -1.0, 1.0, 1.0}}}}
      return a.b
    }}""")
    network, x = convert(graph, steps=4), np.array([[0.5, 3.0], [1.25, 0.25]])
    output, _ = read_and_run(network, tmp_path, x)
    np.testing.assert_allclose(output, run(network.graph, x, 4, 0).output)
    assert set(nir.read(str(tmp_path / FILE)).nodes) == {"input", "a.b", "output.2", "a.b.2", "output"}


def test_work_before_the_encoder_is_the_senders(tmp_path: Path) -> None:
    """Normalising and pooling the plain input are no part of the spiking network."""
    graph = parse_graph(f"""graph net {{
      x : 2x4x4 = input(){{shape=(2, 4, 4)}}
      n : 2x4x4 = affine(x){{scale=f64[]{{2.0}}, shift=f64[]{{-0.5}}}}
      p : 2x2x2 = max-pool(n){{kernel=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0), dilations=(1, 1)}}
      q : 2x2x2 = quantise(p){GRID}
      c : 1x1x1 = conv(q){{weight=i8[1,2,2,2]{{1, 2, 3, 4, 5, 6, 7, 8}}, {WINDOW}}}
      return c
    }}""")
    load_backend("nir").emit(convert(graph), tmp_path)
    found = nir.read(str(tmp_path / FILE))
    assert set(found.nodes) == {"input", "c", "output"}
    assert found.nodes["input"].input_type["input"].tolist() == [2, 2, 2]


def test_groups_and_unequal_spike_values_are_written_out(tmp_path: Path) -> None:
    """Readers infer one group; what a spike is worth differs between channels, so it becomes a node of its own."""
    graph = parse_graph(f"""graph net {{
      x : 2x3x3 = input(){{shape=(2, 3, 3)}}
      q : 2x3x3 = quantise(x){GRID}
      c : 2x2x2 = conv(q){{weight=i8[2,1,2,2]{{1, 2, -1, 1, 2, 1, 1, -1}}, groups=2, {WINDOW}}}
      n : 2x2x2 = quantise(c){GRID.replace("[]{", "[2,1,1]{0.25, ")}
      s : 2x1x1 = average-pool(n){{kernel=(2, 2), {WINDOW}}}
      f : 2 = reshape(s){{shape=(2)}}
      d : 1 = dense(f){{weight=f64[1,2]{{1.0, -0.5}}}}
      return d
    }}""")
    network = convert(graph, steps=8)
    x = np.random.default_rng(0).integers(0, 8, (5, 2, 3, 3)) * 0.5
    output, counts = read_and_run(network, tmp_path, x)
    expected = run(network.graph, x, 8, 0)
    np.testing.assert_array_equal(counts["n"], expected.counts["n"])
    np.testing.assert_allclose(output, expected.output)
    assert nir.read(str(tmp_path / FILE)).nodes["c"].weight.shape == (2, 2, 2, 2)


@pytest.mark.parametrize("what", ["threshold", "weight", "v0", "steps", "edge", "node"])
def test_audit_finds_what_was_changed(what: str, tmp_path: Path) -> None:
    backend = load_backend("nir")
    network = lowered("conv-chain", backend, "if", "float")
    backend.emit(network, tmp_path)
    graph = nir.read(str(tmp_path / FILE))
    neuron = next(node for node in graph.nodes.values() if isinstance(node, nir.IF))
    layer = next(node for node in graph.nodes.values() if isinstance(node, nir.Conv2d))
    if what == "threshold":
        neuron.v_threshold = neuron.v_threshold * 1.01
    elif what == "weight":
        layer.weight = np.nextafter(layer.weight, 9)
    elif what == "v0":
        neuron.metadata["v0"] = neuron.metadata["v0"] + 0.1
    elif what == "steps":
        graph.metadata["steps"] = 99
    elif what == "edge":
        graph.edges.append(("input", "output"))
    else:
        graph.nodes["more"] = nir.Input(input_type={"input": np.array([1])})
    plain = nir.NIRGraph(graph.nodes, graph.edges, metadata=graph.metadata, type_check=False)
    nir.write(str(tmp_path / FILE), plain)
    with patch.object(nir, "read", partial(nir.read, type_check=False)):
        assert len(backend.audit(network, tmp_path)) == 1


@pytest.mark.parametrize("content", [b"", b"no HDF5", None])
def test_audit_of_a_file_that_is_none(content: bytes | None, tmp_path: Path) -> None:
    backend = load_backend("nir")
    network = lowered("dense-chain", backend, "if", "float")
    backend.emit(network, tmp_path)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)
    (problem,) = backend.audit(network, tmp_path)
    assert problem.startswith("network.nir: cannot be read: ")
    assert "\n" not in problem


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = lowered("dense-chain", load_backend("nir"), "if", "float")
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'onnx2snn\[nir\]'"):
        load_backend("nir").emit(network, tmp_path)


def test_the_backend_is_listed_without_importing_nir() -> None:
    look = "import sys; from onnx2snn.plugins import load_backend; load_backend('nir'); print('nir' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True).stdout == "False\n"


def test_its_simulator_reads_the_file_back(tmp_path: Path) -> None:
    backend = load_backend("nir")
    network = lowered("dense-chain", backend, "if", "float")
    save(network, backend, tmp_path / "net")
    x, steps = samples(network), network.schedule.steps
    found, expected = open_artifact(tmp_path / "net").simulator().run(x), run(network.graph, x, steps, 0)
    close = {name: float((found.counts[name] == counts).mean()) for name, counts in expected.counts.items()}
    assert min(close.values()) > 0.99, close


def test_a_file_of_other_populations_is_not_run() -> None:
    def graph(*names: str) -> Graph:
        neuron = "{theta=f64[]{1.0}, v0=f64[]{0.0}, bias=f64[]{0.0}, value=f64[]{1.0}}"
        layers = "".join(f'{name} : 2 = if(x){neuron} <- "{name}" "IF" ""\n' for name in names)
        return parse_graph(f"graph g {{\nx : 2 = input(){{shape=(2)}}\n{layers}return {names[-1]}\n}}")

    assert paired(graph("a/b", "a.b"), graph("a.b.2", "a.b")) == {"a.b": "a/b", "a.b.2": "a.b"}
    with pytest.raises(ArtifactError, match="a population 'b' in the exchange file expected, found c"):
        paired(graph("a", "b"), graph("a", "c"))
    with pytest.raises(ArtifactError, match="found b as well"):
        paired(graph("a"), graph("a", "b"))
