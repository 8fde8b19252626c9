"""The torch backend against the reference: in memory, as an artifact, and as a file of its own."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import models
import numpy as np
import pytest
from emitted_model import emitted_model
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from onnx2snn.artifact import Source
from onnx2snn.errors import BackendError, PassError
from onnx2snn.flow.conversion.convert import Conversion
from onnx2snn.flow.conversion.options import Options
from onnx2snn.flow.conversion.write import manifest_of
from onnx2snn.flow.conversion.write import save as save_artifact
from onnx2snn.ir import Graph, Op
from onnx2snn.ir.ops import STBIF, Dense, Encoder, Input, Multiply, Readout, Relu
from onnx2snn.plugins import load_backend
from onnx2snn.reference import Run, run
from onnx2snn.testing.conformance import lowered
from onnx2snn.testing.strategies import inputs, networks

torch = pytest.importorskip("torch")

from torch_networks import CODES, MODELS, network, samples  # noqa: E402

from onnx2snn.backends.torch import TorchBackend, build  # noqa: E402
from onnx2snn.backends.torch.lower import TAKEN, identifiers  # noqa: E402
from onnx2snn.backends.torch.runtime import SpikingNet  # noqa: E402
from onnx2snn.backends.torch.simulator import TorchSimulator  # noqa: E402
from onnx2snn.backends.torch.standalone import RUNTIME  # noqa: E402


def assert_same(found: Run, expected: Run) -> None:
    assert list(found.counts) == list(expected.counts)
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[name], counts, err_msg=name)
    assert (found.steps, found.spikes) == (expected.steps, expected.spikes)
    for ours, truth in zip(found.outputs, expected.outputs, strict=True):
        np.testing.assert_allclose(ours, truth, rtol=0, atol=1e-9)


@pytest.mark.parametrize("settle", [None, 0, 3])
@pytest.mark.parametrize("integer", [True, False])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", MODELS)
def test_runs_as_the_reference_does(name: str, code: str, integer: bool, settle: int | None) -> None:
    made = network(name, code, integer, settle)
    x, steps = samples(made), made.schedule.steps
    done: list[int] = []
    simulator = TorchSimulator(made.graph, steps, settle, chunk_bytes=1)
    assert_same(simulator.run(x, done.append), run(made.graph, x, steps, settle))
    assert done == [1, 2, 3, 4, 5]


@given(st.data())
def test_random_networks_run_as_the_reference_does(data: st.DataObject) -> None:
    quantised = data.draw(st.booleans())
    ann: Graph = data.draw(networks(quantised_input=quantised, tails=True))
    x = data.draw(inputs(ann)) if quantised else np.random.default_rng(0).normal(0, 1, (4, *ann.shape("x")))
    options = Options(code=data.draw(st.sampled_from(CODES)), integer=data.draw(st.booleans()))
    settle = data.draw(st.sampled_from([None, 0, 2]))
    try:
        made = Conversion(ann, Source("net.onnx", "0" * 64), options).lower(TorchBackend())
    except (PassError, BackendError):
        return  # an unsigned code cannot hold negative counts
    steps = made.schedule.steps
    assert_same(TorchSimulator(made.graph, steps, settle).run(x), run(made.graph, x, steps, settle))


# -- the artifact ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("integer", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_artifact_is_the_same_bytes_each_time(name: str, integer: bool, tmp_path: Path) -> None:
    made, backend = network(name, integer=integer), TorchBackend()
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        backend.emit(made, folder)
    for file in ("model.py", "weights.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert backend.audit(made, tmp_path / "a") == []


def test_audit_finds_what_was_changed(tmp_path: Path) -> None:
    made, backend = network("lenet"), TorchBackend()
    backend.emit(made, tmp_path)
    text = (tmp_path / "model.py").read_text()
    (tmp_path / "model.py").write_text(text.replace("hi=15", "hi=14"))
    (tmp_path / "weights.safetensors").unlink()
    found = backend.audit(made, tmp_path)
    assert [problem.split()[0] for problem in found] == ["model.py", "weights.safetensors"]


def test_simulator_never_executes_the_artifact(tmp_path: Path) -> None:
    made = network("lenet")
    backend = load_backend("torch")
    save_artifact(made, backend, tmp_path / "out")
    (tmp_path / "out" / "model.py").write_text("raise SystemExit('executed')")
    x = samples(made)
    found = backend.simulator(tmp_path / "out", manifest_of(made, backend)).run(x)
    assert_same(found, run(made.graph, x, made.schedule.steps))


ALONE = """
import json, sys
for blocked in ("onnx2snn", "safetensors", "onnx", "networkx"):
    sys.modules[blocked] = None
sys.path.insert(0, sys.argv[1])
import torch
from pathlib import Path
from model import Net, read_safetensors
net = Net.load(sys.argv[1])
output = net(read_safetensors(Path(sys.argv[1], "x.safetensors"))["x"])
counts = {name: n.tolist() for name, n in net.counts.items()}
keys = list(net.state_dict()) + [name for name, p in net.named_parameters() if p.requires_grad]
print(json.dumps([output.tolist(), counts, net.spikes, net.steps, keys]))
"""


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("integer", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_emitted_file_runs_with_torch_alone(name: str, integer: bool, code: str, tmp_path: Path) -> None:
    made = network(name, code, integer, None if code == "st-bif" else 2)
    x = samples(made)
    TorchBackend().emit(made, tmp_path)
    (tmp_path / "x.safetensors").write_bytes(save({"x": x}))
    answer = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", ALONE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    output, counts, spikes, steps, keys = json.loads(answer.stdout)
    found = Run((np.array(output),), steps, {k: np.array(v) for k, v in counts.items()}, spikes)
    assert_same(found, run(made.graph, x, made.schedule.steps, made.schedule.settle))
    module = build(made.graph, made.schedule.steps, made.schedule.settle)
    trained = [key for key, parameter in module.named_parameters() if parameter.requires_grad]
    assert bool(trained) != integer
    assert sorted(keys) == sorted([*module.state_dict(), *trained])


def test_emitted_file_and_runtime_import_torch_and_the_standard_library_alone(tmp_path: Path) -> None:
    TorchBackend().emit(network("residual"), tmp_path)
    runtime = {path.stem: path.read_text() for path in RUNTIME.glob("*.py")}
    assert len(runtime) > 4
    allowed = {"torch", "__future__", *sys.stdlib_module_names}
    assert imported((tmp_path / "model.py").read_text()) <= allowed
    for text in runtime.values():
        assert imported(text) <= allowed | {"onnx2snn.backends.torch.runtime"}


def imported(text: str) -> set[str]:
    """What a file imports: packages, and of this one the runtime as a whole."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        found |= {".".join(n.split(".")[:4]) if n.startswith("onnx2snn") else n.split(".")[0] for n in names}
    return found


@pytest.mark.parametrize("case", ["two-outputs", "transposed-conv"])
def test_emitted_file_of_a_case(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several outputs come as a tuple, and only the layers that the network needs are in the file."""
    made = lowered(case, TorchBackend(), "st-bif", "integer")
    x = np.random.default_rng(1).random((3, *made.input_shape))
    TorchBackend().emit(made, tmp_path)
    text = (tmp_path / "model.py").read_text()
    assert "class STBIF" in text
    assert ("class Softmax" in text) == (case == "two-outputs")
    assert "class MaxPool" not in text
    found = emitted_model(tmp_path, monkeypatch).Net.load(tmp_path)(torch.from_numpy(x))
    expected = run(made.graph, x, made.schedule.steps).outputs
    assert isinstance(found, tuple) == (len(expected) > 1)
    for ours, truth in zip(found if len(expected) > 1 else (found,), expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), truth, rtol=0, atol=1e-9)


# -- names and refusals -----------------------------------------------------------------------------------------------


def test_identifiers_are_python_names_and_unique() -> None:
    names = ["conv.1", "conv_1", "conv/1", "1", "class", "forward", "still", "_x", "n_x", "ä", "n_"]
    found = identifiers(names)
    assert list(found) == names
    assert len(set(found.values())) == len(names)
    assert all(identifier.isidentifier() and identifier.isascii() for identifier in found.values())
    assert found["conv.1"] == "conv_1"
    module = {name for name in (*dir(torch.nn.Module), *dir(SpikingNet)) if not name.startswith("_")}
    assert module <= set(TAKEN.split())


def spiking_graph(*ops: Op) -> Graph:
    """A chain of ops from an input of two features to a readout."""
    graph = Graph()
    at = graph.add("x", Input(shape=(2,)))
    for op in ops:
        at = graph.add(graph.fresh(op.name), op, [at])
    graph.outputs = (graph.add("readout", Readout(scale=np.ones(()), bias=np.zeros(())), [at]),)
    return graph


def whole_neuron(theta: int, value: int = 1) -> STBIF:
    zero = np.array(0)
    return STBIF(theta=np.array(theta), v0=zero, bias=zero, value=np.array(value), hi=3)


ENCODER = Encoder(scale=np.ones(()), lo=0, hi=3, value=np.array(1))
WEIGHT = np.ones((2, 2), np.int64)
REFUSED = {
    "is no op of a spiking network": [Relu()],
    "carries a constant between neurons": [ENCODER, whole_neuron(4), Dense(weight=WEIGHT, bias=np.ones(2, np.int64))],
    "53 bits expected at most": [ENCODER, Dense(weight=WEIGHT << 52), whole_neuron(1 << 54)],
    "62 bits expected at most": [ENCODER, whole_neuron(1 << 61)],
    "whole weights expected, found a scale": [ENCODER, Dense(weight=WEIGHT, scale=np.ones(2)), whole_neuron(4)],
    "whole neurons with value 1 expected, found value 2": [ENCODER, whole_neuron(4, value=2)],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refuses_what_it_cannot_run(reason: str) -> None:
    graph = spiking_graph(*REFUSED[reason])
    with pytest.raises(BackendError, match=f"PyTorch cannot run this network: .*{reason}"):
        build(graph, 3)
    with pytest.raises(BackendError, match=f"backend torch cannot take this network: .*{reason}"):
        TorchBackend().check(replace(network("lenet"), graph=graph))


def test_refuses_what_cannot_stand_behind_a_readout() -> None:
    graph = spiking_graph(ENCODER)
    graph.outputs = (graph.add("gate", Multiply(), ["readout", "encoder"]),)
    with pytest.raises(BackendError, match=r"gate .*: joins a readout with encoder, which needs one as well"):
        build(graph, 3)
    graph.outputs = (graph.add("late", whole_neuron(4), ["readout"]),)
    with pytest.raises(BackendError, match=r"late .*: st-bif cannot stand behind a readout"):
        build(graph, 3)


def test_refuses_another_output_than_a_readout() -> None:
    graph = spiking_graph(ENCODER)
    graph.outputs = ("encoder",)
    with pytest.raises(BackendError, match="the output is a encoder, a readout expected"):
        build(graph, 3)


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from pathlib import Path
from onnx2snn.backends.torch import build
from onnx2snn.errors import MissingExtraError
from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.conversion.write import manifest_of
from onnx2snn.plugins import load_backend
backend = load_backend("torch")
network = convert(sys.argv[1]).lower(backend)
folder = Path(sys.argv[2])
backend.emit(network, folder)
assert backend.audit(network, folder) == []
try:
    backend.simulator(folder, manifest_of(network, backend))
except MissingExtraError as error:
    print(error)
try:
    build(network.graph, 15)
except MissingExtraError as error:
    print(error)
"""


def test_converts_without_torch_and_says_what_to_install(tmp_path: Path) -> None:
    model = models.lenet(tmp_path / "lenet.onnx")
    command = [sys.executable, "-c", WITHOUT_TORCH, str(model), str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.stdout.count("needs PyTorch: pip install 'onnx2snn[torch]'") == 2, answer.stderr
