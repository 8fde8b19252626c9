"""Layer-wise fine-tuning: its teacher, its gradients, what it keeps, what it says of the result."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from command import one_line, onnx2snn

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

from torch_networks import MODELS  # noqa: E402

from onnx2snn.artifact import read_manifest  # noqa: E402
from onnx2snn.backends.torch import build  # noqa: E402
from onnx2snn.flow.conversion.convert import convert  # noqa: E402
from onnx2snn.flow.verification.reference import exact_counts  # noqa: E402
from onnx2snn.flow.verification.verify import verify  # noqa: E402
from onnx2snn.ir import Graph, load_graph, same  # noqa: E402
from onnx2snn.ir.ops import IF, Conv, Dense, Encoder, Input, Neuron, Readout, Staircase  # noqa: E402
from onnx2snn.passes import approximate  # noqa: E402
from onnx2snn.passes.text import parse_recipe  # noqa: E402
from onnx2snn.training.finetune import Options, finetune  # noqa: E402
from onnx2snn.training.finetune.learner import Learner  # noqa: E402
from onnx2snn.training.finetune.names import tensors  # noqa: E402
from onnx2snn.training.finetune.segments import segments  # noqa: E402
from onnx2snn.training.finetune.staircase import ramp, substitute  # noqa: E402
from onnx2snn.training.finetune.teacher import Teacher  # noqa: E402

DEMO = Path(str(files("onnx2snn"))) / "demo"
CPU = torch.device("cpu")


@pytest.fixture
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return MODELS[getattr(request, "param", "residual")](tmp_path / "model.onnx")


def artifact(model: Path, folder: Path, backend: str = "numpy", **options: object) -> Path:
    convert(model, **{"code": "signed-if", **options}).save(folder, backend=backend)  # type: ignore[arg-type]
    return folder


def data(model: Path, path: Path, count: int = 30, labels: bool = True) -> Path:
    shape = convert(model).network.input_shape
    rng = np.random.default_rng(0)
    arrays = {"x": rng.random((count, *shape), np.float32)} | ({"y": rng.integers(0, 3, count)} if labels else {})
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def contents(folder: Path, *names: str) -> list[bytes]:
    return [(folder / name).read_bytes() for name in names]


NETWORK = ("network.txt", "arrays.safetensors")


# -- the teacher -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, indirect=True)
@pytest.mark.parametrize("integer", [True, False])
@pytest.mark.parametrize(("code", "steps"), [("if", None), ("signed-if", None), ("signed-if", 7), ("if", 40)])
def test_the_teacher_counts_what_the_quantised_network_counts(
    model: Path, code: str, steps: int | None, integer: bool, tmp_path: Path
) -> None:
    """Also where there are more steps than levels, and where a spike stands for several levels.

    Only whole thresholds of such a spike, solved for its own breakpoints, do not say exactly where those between lie.
    """
    folder = artifact(model, tmp_path / "net", code=code, steps=steps, integer=integer)
    manifest, graph = read_manifest(folder), load_graph(folder)
    ranges = {layer.name: layer.counts for layer in manifest.layers if layer.counts is not None}
    assert len(ranges) == len(graph.of(Neuron)) >= 3
    teacher = Teacher(graph, manifest.steps, ranges, CPU)
    x = np.random.default_rng(1).random((6, *manifest.input_shape))
    names = [node.name for node in graph.of(Neuron)]
    found = teacher.values(teacher.part(names), tensors(graph, x, CPU))
    reference, _ = approximate(convert(model).ann, parse_recipe(manifest.staircase_passes))
    truth = exact_counts(reference, x)
    for name, counts in zip(names, found, strict=True):
        stairs = reference[name].op
        assert isinstance(stairs, Staircase)
        apart = counts.numpy() * max(1.0, stairs.hi / manifest.steps) - truth[name]
        between = integer and stairs.hi > manifest.steps
        assert np.abs(apart).max() < (3.5 if between else 1e-9)
        assert (np.abs(apart) > 0.5).mean() < (0.3 if between else 1e-9)


def test_the_teacher_of_an_older_artifact_counts_to_the_inject_steps(tmp_path: Path) -> None:
    model = MODELS["lenet"](tmp_path / "model.onnx")
    manifest, graph = read_manifest(artifact(model, tmp_path / "net", steps=15)), load_graph(tmp_path / "net")
    names = [node.name for node in graph.of(Neuron)]
    teacher = Teacher(graph, manifest.steps, {}, CPU)
    x = np.random.default_rng(1).random((6, *manifest.input_shape))
    found = teacher.values(teacher.part(names), tensors(graph, x, CPU))
    truth = exact_counts(approximate(convert(model).ann, parse_recipe(manifest.staircase_passes))[0], x)
    assert all(np.array_equal(counts.numpy(), truth[name]) for name, counts in zip(names, found, strict=True))


# -- gradients ---------------------------------------------------------------------------------------------------


def test_the_surrogate_has_the_value_of_one_and_the_gradient_of_the_other() -> None:
    charge = torch.tensor([-3.0, 1.0, 9.0, 50.0], requires_grad=True)
    counts = torch.tensor([0.0, 2.0, 1.0, 7.0])
    y = substitute(counts, ramp(charge, torch.tensor(2.0), torch.tensor(4.0), (0, 7)))
    assert torch.equal(y.detach(), counts)
    y.sum().backward()
    assert charge.grad is not None
    assert charge.grad.tolist() == [0.0, 0.25, 0.25, 0.0]


def chain(weight: np.ndarray, integer: bool = True) -> Graph:
    """Encoder, a dense layer, neurons, a dense layer, neurons, readout."""
    kind = np.int64 if integer else np.float64
    neuron = IF(theta=np.asarray(6, kind), v0=np.asarray(3, kind), bias=np.zeros(2, kind), value=np.asarray(1, kind))
    graph = Graph("chain")
    x = graph.add("x", Input(shape=(3,)))
    x = graph.add("in", Encoder(scale=np.asarray(0.5), lo=0, hi=7, value=np.asarray(1, kind)), [x])
    x = graph.add("fc1", Dense(weight=np.eye(3, dtype=kind) * 7), [x])
    x = graph.add("act1", replace(neuron, bias=np.asarray(0, kind)), [x])
    x = graph.add("fc2", Dense(weight=weight.astype(kind)), [x])
    x = graph.add("act2", neuron, [x])
    x = graph.add("out", Readout(scale=np.ones(()), bias=np.zeros(())), [x])
    graph.outputs = (x,)
    return graph


@pytest.mark.parametrize("integer", [True, False])
def test_gradients_of_weights_are_those_of_the_averaged_layer(integer: bool) -> None:
    """d n / d w = (spikes that arrive) / theta where the staircase is not clipped; a bias counts in thresholds."""
    graph = chain(np.array([[3, -2, 1], [-7, -7, -7]]), integer)
    module = build(graph, 7, 0).requires_grad_(False)
    segment = next(s for s in segments(graph) if s.target == "act2")
    learner = Learner(graph, module, segment, 7, (0, 7))
    learner.load()
    totals, found = learner.observe(tensors(graph, np.array([[1.0, 2.0, 3.0]]), CPU))
    assert torch.equal(module.counts["act2"].double(), found)
    answer = learner.answer(totals, found)
    assert torch.equal(answer.detach(), found)
    answer.sum().backward()
    weight, bias = learner.latents["fc2", "weight"], learner.latents["act2", "bias"]
    assert weight.free.grad is not None
    assert bias.free.grad is not None
    expected = totals[0][0].double() * 7 / 6  # span 7, threshold 6
    assert torch.allclose(weight.free.grad[0], expected)
    assert not weight.free.grad[1].any()  # far below the first step
    assert bias.free.grad.tolist() == [1.0, 0.0]


def test_whole_numbers_stay_on_their_grid_and_in_their_bits() -> None:
    graph = chain(np.array([[4, -2, 6], [2, 0, -8]]))  # even ones, of 4 bits with their sign
    segment = next(s for s in segments(graph) if s.target == "act2")
    learner = Learner(graph, build(graph, 7, 0), segment, 7)
    latent = learner.latents["fc2", "weight"]
    assert np.array_equal(latent.array(), [[4, -2, 6], [2, 0, -8]])
    with torch.no_grad():
        latent.free.add_(100)
    latent.confine()
    assert latent.array().dtype == np.int64
    assert (latent.array() == 14).all()
    assert (latent.stored() - 14).abs().max() < 1e-9


# -- what is tuned -----------------------------------------------------------------------------------------------


def test_a_synapse_that_feeds_two_populations_is_left_alone() -> None:
    graph = chain(np.ones((2, 3)))
    op = graph["act2"].op
    graph.add("twin", op, ["fc2"])
    graph.add("fc3", Dense(weight=np.ones((2, 2), np.int64)), ["twin"])
    graph.add("out2", Readout(scale=np.ones(()), bias=np.zeros(())), ["fc3"])
    graph.outputs = ("out", "out2")
    found = {segment.target: segment for segment in segments(graph)}
    assert found["act1"].constant
    assert (found["act2"].weights, found["act2"].shared) == ((), ("fc2",))
    assert (found["twin"].weights, found["twin"].shared) == ((), ("fc2",))
    assert (found["out2"].weights, found["out2"].sources) == (("fc3",), ("twin",))


@pytest.mark.parametrize("integer", [True, False])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_residual_network_learns_and_says_so(model: Path, backend: str, integer: bool, tmp_path: Path) -> None:
    folder = artifact(model, tmp_path / "net", backend, integer=integer)
    samples = data(model, tmp_path / "samples.npz", labels=False)
    options = Options(epochs=2, batch=5, rate=0.03, keep_all=True, readout=True)
    done = finetune(folder, samples, tmp_path / "new", options)
    old, new = load_graph(folder), load_graph(tmp_path / "new")
    manifest = read_manifest(tmp_path / "new")
    assert [node.name for node in old] == [node.name for node in new]
    assert manifest.fine_tuning is not None
    assert manifest.fine_tuning.layers == done.report.kept == (*[n.name for n in old.of(Neuron)][1:], "readout")
    assert manifest.arithmetic == ("integer" if integer else "float")
    changed = {node.name for node in old if not same(node.op, new[node.name].op)}
    assert changed
    assert changed <= {*manifest.fine_tuning.layers, *(w for layer in done.report.layers for w in layer.synapses)}
    for node in old.of(Neuron, Conv, Dense):
        was, now = node.op, new[node.name].op
        if isinstance(was, Neuron):
            assert same(now, replace(was, bias=getattr(now, "bias")))  # noqa: B009  another type of op
        else:
            assert getattr(now, "weight").dtype == getattr(was, "weight").dtype  # noqa: B009
    found = verify(model, tmp_path / "new", samples)
    assert found.ok, found.findings
    assert not found.certificate.exact
    assert str(manifest.fine_tuning) in found.certificate.approximations
    assert str(manifest.fine_tuning) in manifest.approximations


def test_revert_is_a_revert(model: Path, tmp_path: Path) -> None:
    """Steps of a hundred times the largest weight help nobody: the network is as before, to the last bit."""
    folder, samples = artifact(model, tmp_path / "net", "torch"), data(model, tmp_path / "samples.npz")
    done = finetune(folder, samples, tmp_path / "new", Options(epochs=2, rate=100.0))
    assert done.report.layers
    assert not done.report.kept
    assert done.report.after == done.report.before
    assert all(layer.after.output > layer.before.output for layer in done.report.layers)
    names = (*NETWORK, "model.py", "weights.safetensors")
    assert contents(tmp_path / "new", *names) == contents(folder, *names)
    assert read_manifest(tmp_path / "new").fine_tuning is None
    assert read_manifest(tmp_path / "new").layers == read_manifest(folder).layers
    assert verify(model, tmp_path / "new").ok


def test_the_seed_decides(model: Path, tmp_path: Path) -> None:
    folder, samples = artifact(model, tmp_path / "net"), data(model, tmp_path / "samples.npz")
    options = Options(epochs=1, batch=5, rate=0.03, keep_all=True)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        finetune(folder, samples, tmp_path / name, replace(options, seed=seed))
    assert contents(tmp_path / "a", "manifest.json", *NETWORK) == contents(tmp_path / "b", "manifest.json", *NETWORK)
    assert contents(tmp_path / "a", *NETWORK) != contents(tmp_path / "c", *NETWORK)


def test_digits_in_four_steps_come_closer(tmp_path: Path) -> None:
    """The bundled network with two of its fifteen steps; some of the images learn, the others judge."""
    with np.load(DEMO / "digits.npz") as given:
        x, y = given["x"], given["y"]
    np.savez(tmp_path / "learn.npz", x=x[:260], y=y[:260])
    np.savez(tmp_path / "test.npz", x=x[260:], y=y[260:])
    artifact(DEMO / "digits.onnx", tmp_path / "net", code="if", steps=2)
    run = ("finetune", tmp_path / "net", "--data", tmp_path / "learn.npz", "-o", tmp_path / "new", "--json")
    tuned = onnx2snn(*run, "--epochs", 20)
    assert tuned.code == 0, tuned.err
    assert tuned.json["kept"]
    assert tuned.json["after"]["output"] < tuned.json["before"]["output"]
    before, after = (
        onnx2snn("verify", DEMO / "digits.onnx", tmp_path / name, "--data", tmp_path / "test.npz", "--json")
        for name in ("net", "new")
    )
    assert (before.code, after.code) == (0, 0)
    assert after.json["certificate"]["fine_tuned"]
    assert after.json["parity"]["argmax_agreement"] > before.json["parity"]["argmax_agreement"] + 0.01


@pytest.mark.parametrize("backend", ["loihi", "tianjic"])
def test_a_chip_takes_what_was_tuned(backend: str, tmp_path: Path) -> None:
    artifact(DEMO / "digits.onnx", tmp_path / "net", backend, code="if", steps=15)
    options = Options(epochs=1, rate=0.01, keep_all=True)
    done = finetune(tmp_path / "net", DEMO / "digits.npz", tmp_path / "new", options)
    assert done.report.kept
    found = verify(DEMO / "digits.onnx", tmp_path / "new", DEMO / "digits.npz")
    assert found.ok, found.findings


def test_the_words_of_the_commands(tmp_path: Path) -> None:
    artifact(DEMO / "digits.onnx", tmp_path / "net", steps=4)
    run = ("finetune", tmp_path / "net", "--data", DEMO / "digits.npz", "-o", tmp_path / "new", "--epochs", 1)
    result = onnx2snn(*run, "--keep-all", "--readout")
    assert result.code == 0, result.err
    assert "fine-tuned, no longer the model's" in result.out
    assert "kept (epoch 1)" in result.err
    assert "finetune --data digits.npz --epochs 1 --keep-all --readout" in read_manifest(tmp_path / "new").command
    verified = onnx2snn("verify", DEMO / "digits.onnx", tmp_path / "new")
    assert verified.code == 0, verified.out
    assert "not proven equal" in verified.out.splitlines()[0]
    assert "approximation: fine-tuned on 288 samples of digits.npz" in verified.out
    again = onnx2snn("finetune", tmp_path / "new", "--data", DEMO / "digits.npz", "-o", tmp_path / "twice")
    one_line(again, "is fine-tuned already")


# -- what cannot be ----------------------------------------------------------------------------------------------


def test_exact_codes_need_no_tuning(tmp_path: Path) -> None:
    artifact(DEMO / "digits.onnx", tmp_path / "net", code="st-bif")
    result = onnx2snn("finetune", tmp_path / "net", "--data", DEMO / "digits.npz", "-o", tmp_path / "new")
    assert result.code == 2
    one_line(result, "code st-bif counts what the quantised network counts", "nothing to fine-tune")
    assert not (tmp_path / "new").exists()


def test_an_exact_code_that_is_cut_short_can_be_tuned(tmp_path: Path) -> None:
    artifact(DEMO / "digits.onnx", tmp_path / "net", code="st-bif", settle=0)
    done = finetune(tmp_path / "net", DEMO / "digits.npz", tmp_path / "new", Options(epochs=1, rate=0.001))
    assert done.report.before.output > 0
    assert verify(DEMO / "digits.onnx", tmp_path / "new").ok


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--epochs", 0], "epochs: a whole number of at least 1"),
        (["--batch", 0], "batch: a whole number of at least 1"),
        (["--rate", 0], "rate: a positive number expected"),
        (["--rate", "nan"], "rate: a positive number expected"),
        (["--validation", 1], "validation: a share between 0 and 1"),
        (["--criterion", "best"], "no criterion 'best'; known: output, layer, accuracy"),
        (["--seed", -1], "seed: a whole number of at least 0"),
        (["--device", "abacus"], "a device that PyTorch can use expected, found 'abacus'"),
    ],
)
def test_wrong_options(options: list[object], words: str, tmp_path: Path) -> None:
    artifact(DEMO / "digits.onnx", tmp_path / "net")
    run = ("finetune", tmp_path / "net", "--data", DEMO / "digits.npz", "-o", tmp_path / "new")
    result = onnx2snn(*run, *options)
    assert result.code == 2
    one_line(result, words)


def test_wrong_input(tmp_path: Path) -> None:
    artifact(DEMO / "digits.onnx", tmp_path / "net")
    new = tmp_path / "new"
    one_line(onnx2snn("finetune", tmp_path / "net", "--data", tmp_path / "no.npz", "-o", new), "nothing there")
    one_line(onnx2snn("finetune", tmp_path / "no", "--data", DEMO / "digits.npz", "-o", new), "an artifact folder")
    one_line(onnx2snn("finetune", tmp_path / "net", "-o", new), "--data")
    np.savez(tmp_path / "wide.npz", x=np.zeros((4, 1, 9, 9), np.float32))
    wide = onnx2snn("finetune", tmp_path / "net", "--data", tmp_path / "wide.npz", "-o", new)
    one_line(wide, "shape (N, 1, 8, 8) expected, found (4, 1, 9, 9)")
    np.savez(tmp_path / "one.npz", x=np.zeros((1, 1, 8, 8), np.float32))
    one_line(onnx2snn("finetune", tmp_path / "net", "--data", tmp_path / "one.npz", "-o", new), "2 or more; found 1")
    np.savez(tmp_path / "far.npz", x=np.zeros((4, 1, 8, 8), np.float32), y=np.array([0, 1, 2, 11]))
    far = onnx2snn("finetune", tmp_path / "net", "--data", tmp_path / "far.npz", "-o", new)
    one_line(far, "labels 0 to 9 expected, found")
    taken = onnx2snn("finetune", tmp_path / "net", "--data", DEMO / "digits.npz", "-o", tmp_path / "net")
    one_line(taken, "holds an artifact already")
    assert not new.exists()


def test_artifacts_that_set_membranes_by_sample_are_refused(tmp_path: Path) -> None:
    artifact(DEMO / "digits.onnx", tmp_path / "net", code="if", calibrate_steps=4)
    result = onnx2snn("finetune", tmp_path / "net", "--data", DEMO / "digits.npz", "-o", tmp_path / "new")
    one_line(result, "--calibrate-steps")
