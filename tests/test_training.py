"""Quantisers against LSQ's gradients written out, export against ONNX Runtime."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="training needs the torch extra: pip install 'onnx2snn[torch]'")

from torch import Tensor, nn  # noqa: E402

from onnx2snn.errors import UsageError  # noqa: E402
from onnx2snn.training import (  # noqa: E402
    ExportError,
    InputQuantiser,
    LearnedStepActivation,
    LearnedStepWeight,
    QuantConv2d,
    QuantLinear,
    Recipe,
    accuracy,
    export_onnx,
    fit,
    predict,
    run_onnx,
)
from onnx2snn.training.quantisers.lsq import LearnedStep  # noqa: E402

SHAPE = (2, 9, 9)
Quantiser = TypeVar("Quantiser", bound=LearnedStep)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of parallel test workers wait for each other; these networks need one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def with_step(quantiser: Quantiser, *steps: float) -> Quantiser:
    """The quantiser as if a first batch had set these steps."""
    shape = quantiser.raw.shape
    quantiser.load_state_dict({"raw": torch.tensor(steps).reshape(shape), "started": torch.tensor(True)}, strict=True)
    return quantiser


def lsq(x: np.ndarray, g: np.ndarray, s: float, lo: int, hi: int, numel: int) -> tuple[np.ndarray, float]:
    """dL/dx and dL/ds of LSQ, equations 3 and 5 of the paper, for upstream gradient g."""
    v = x / s
    inside = (lo <= v) & (v <= hi)
    slope = np.where(inside, np.rint(v) - v, np.clip(np.rint(v), lo, hi))
    return g * inside, float((g * slope).sum() / np.sqrt(hi * numel))


def gradient(leaf: Tensor) -> np.ndarray:
    assert leaf.grad is not None
    return leaf.grad.numpy()


# ---------------------------------------------------------------- quantisers


def test_activation_rounds_halves_to_even_and_clips() -> None:
    quantise = with_step(LearnedStepActivation(bits=2), 0.5)
    x = torch.tensor([[-3.0, 0.25, 0.26, 0.75, 1.25, 9.0]])
    assert quantise(x).tolist() == [[0.0, 0.0, 0.5, 1.0, 1.0, 1.5]]


def test_activation_gradients() -> None:
    rng = np.random.default_rng(0)
    x, g = rng.normal(1, 2, (5, 3, 4)), rng.normal(size=(5, 3, 4))
    quantise = with_step(LearnedStepActivation(bits=3), 0.37).double()
    leaf = torch.tensor(x, requires_grad=True)
    quantise(leaf).backward(torch.tensor(g))
    dx, ds = lsq(x, g, quantise.step.item(), 0, 7, numel=12)
    assert 0 < (dx == 0).sum() < dx.size
    np.testing.assert_allclose(gradient(leaf), dx)
    np.testing.assert_allclose(gradient(quantise.raw), ds)


def test_weight_gradients_per_channel() -> None:
    rng = np.random.default_rng(1)
    w, g = rng.normal(size=(3, 2, 5)), rng.normal(size=(3, 2, 5))
    quantise = with_step(LearnedStepWeight(bits=3, channels=3), 0.2, 0.5, 1.1).double()
    leaf = torch.tensor(w, requires_grad=True)
    quantise(leaf).backward(torch.tensor(g))
    for channel, step in enumerate(quantise.step.tolist()):
        dw, ds = lsq(w[channel], g[channel], step, -3, 3, numel=10)
        np.testing.assert_allclose(gradient(leaf)[channel], dw)
        np.testing.assert_allclose(gradient(quantise.raw)[channel], ds)


def test_steps_start_on_the_first_batch_only() -> None:
    act, weight = LearnedStepActivation(bits=4), LearnedStepWeight(bits=4, channels=2)
    act(torch.tensor([[1.0, -3.0]]))
    act(torch.tensor([[100.0, 100.0]]))
    weight(torch.tensor([[1.0, -2.0], [0.0, 0.0]]))
    assert act.step.item() == pytest.approx(2 * 2 / 15**0.5)
    assert weight.step.tolist() == pytest.approx([2 * 1.5 / 7**0.5, 1.0])


def test_steps_stay_positive() -> None:
    assert with_step(LearnedStepActivation(), -0.5).step.item() == 0.5
    assert with_step(LearnedStepActivation(), 0.0).step.item() > 0


def test_weight_range_is_narrow() -> None:
    quantise = with_step(LearnedStepWeight(bits=4, channels=1), 0.1)
    assert quantise.codes(torch.tensor([[-9.0, -0.66, 0.2, 9.0]])).tolist() == [[-7, -7, 2, 7]]


def test_input_quantiser_keeps_pixels() -> None:
    pixels = np.arange(256, dtype=np.float32) / np.float32(255)
    codes = (InputQuantiser(1 / 255)(torch.from_numpy(pixels)) * 255).numpy()
    np.testing.assert_allclose(codes, np.arange(256), atol=1e-4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LearnedStepActivation(bits=1),
        lambda: LearnedStepWeight(bits=9),
        lambda: InputQuantiser(0.0),
        lambda: InputQuantiser(1 / 16, bits=4, hi=16),
    ],
)
def test_wrong_options(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(UsageError):
        make()


# ---------------------------------------------------------------- export


def network(bits: int = 4) -> nn.Sequential:
    """Every module that the exporter knows, with batch statistics far from the trivial ones."""
    torch.manual_seed(7)
    model = nn.Sequential(
        OrderedDict(
            input=InputQuantiser(1 / 16, bits=5, hi=16),
            conv1=QuantConv2d(2, 6, 3, padding=1, bias=True, quantiser=LearnedStepWeight(bits, 6)),
            bn1=nn.BatchNorm2d(6),
            act1=LearnedStepActivation(bits),
            pool1=nn.MaxPool2d(3, stride=2, padding=1),
            block=nn.Sequential(
                OrderedDict(
                    conv=QuantConv2d(
                        6,
                        4,
                        (3, 2),
                        stride=(1, 2),
                        padding=(1, 0),
                        groups=2,
                        bias=False,
                        quantiser=LearnedStepWeight(bits, 4),
                    ),
                    act=LearnedStepActivation(8),
                )
            ),
            pool2=nn.AvgPool2d(2, stride=1),
            flatten=nn.Flatten(),
            fc1=QuantLinear(16, 8, bias=False, quantiser=LearnedStepWeight(bits, 8)),
            bn3=nn.BatchNorm1d(8),
            act3=LearnedStepActivation(bits),
            fc2=QuantLinear(8, 3, quantiser=LearnedStepWeight(bits, 3)),
        )
    )
    with torch.no_grad():
        for _ in range(3):
            model(torch.rand(32, *SHAPE))
        for name in ("bn1", "bn3"):
            norm = model.get_submodule(name)
            assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
            norm.weight.uniform_(-1.5, 1.5)
            norm.bias.normal_()
    return model.eval()


def torch_codes(model: nn.Sequential, x: Tensor) -> dict[str, np.ndarray]:
    """Integer outputs of every activation quantiser, by module path."""
    codes: dict[str, np.ndarray] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: Any, _: Any, output: Tensor) -> None:
            codes[name] = (output / module.step).round().detach().numpy()

        return hook

    kinds = (LearnedStepActivation, InputQuantiser)
    handles = [m.register_forward_hook(keep(n)) for n, m in model.named_modules() if isinstance(m, kinds)]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return codes


def onnx_codes(path: Path, x: np.ndarray) -> dict[str, np.ndarray]:
    """The uint8 tensors that enter the activations' DequantizeLinear nodes, by module path."""
    model = onnx.load(path)
    weights = {constant.name for constant in model.graph.initializer}
    nodes = [n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] not in weights]
    for node in nodes:
        model.graph.output.append(onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.UINT8, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run([node.input[0] for node in nodes], {"input": x})
    paths = [node.name.removeprefix("/").rsplit("/", 1)[0].replace("/", ".") for node in nodes]
    return {path: np.asarray(value) for path, value in zip(paths, values, strict=True)}


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_export_computes_the_same(bits: int, tmp_path: Path) -> None:
    model, path = network(bits), tmp_path / "model.onnx"
    export_onnx(model, SHAPE, path)
    x = np.random.default_rng(3).uniform(-0.1, 1.3, (20, *SHAPE)).astype(np.float32)
    ours, theirs = torch_codes(model, torch.from_numpy(x)), onnx_codes(path, x)
    assert sorted(ours) == ["act1", "act3", "block.act", "input"]
    assert ours.keys() == theirs.keys()
    for name, codes in ours.items():
        assert len(np.unique(codes)) > 1, name
        np.testing.assert_array_equal(codes, theirs[name], err_msg=name)
    np.testing.assert_allclose(predict(model, x), run_onnx(path, x), atol=1e-5, rtol=0)


def test_ties_round_alike(tmp_path: Path) -> None:
    """Every half step from below 0 to above hi, on a step that divides exactly."""
    model, path = nn.Sequential(with_step(LearnedStepActivation(4), 0.25)), tmp_path / "model.onnx"
    export_onnx(model, (40,), path)
    x = (np.arange(40, dtype=np.float32)[None] - 4) / 8
    np.testing.assert_array_equal(predict(model, x), run_onnx(path, x))


def test_export_is_qcdq(tmp_path: Path) -> None:
    export_onnx(network(), SHAPE, tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    ops = {node.name: node.op_type for node in graph.node}
    assert [op for name, op in ops.items() if name.startswith("/act1/")] == [
        "Relu",
        "QuantizeLinear",
        "Clip",
        "DequantizeLinear",
    ]
    assert "/block/act/Clip" not in ops, "8 bits need no Clip"
    assert ops["/bn1/BatchNormalization"] == "BatchNormalization"
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.initializer}
    weight = constants["conv1.weight"]
    assert weight.dtype == np.int8
    assert np.abs(weight).max() <= 7
    assert constants["conv1.weight.scale"].shape == (6,)
    assert constants["act1.hi"] == np.uint8(15)
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert graph.output[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_export_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        export_onnx(network(), SHAPE, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_unknown_module_is_named(tmp_path: Path) -> None:
    model = nn.Sequential(OrderedDict(body=nn.Sequential(OrderedDict(odd=nn.GELU()))))
    with pytest.raises(ExportError, match=r"module body\.odd \(GELU\): .*QuantConv2d"):
        export_onnx(model, SHAPE, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (LearnedStepActivation(), "steps set by a first batch"),
        (QuantLinear(2, 2, quantiser=LearnedStepWeight(4, 2)), "steps set by a first batch"),
        (nn.MaxPool2d(2, ceil_mode=True), "no ceil_mode"),
        (nn.MaxPool2d(2, dilation=2), "dilation 1"),
        (nn.AvgPool2d(2, divisor_override=3), "divisor_override"),
        (nn.Flatten(0), "start_dim=1"),
        (nn.BatchNorm2d(2, affine=False), "affine=True"),
        (nn.BatchNorm2d(2, track_running_stats=False), "running statistics"),
        (nn.Sequential(), "at least one module"),
    ],
)
def test_options_that_cannot_be_written(module: nn.Module, message: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=f"module 0 .*{message}"):
        export_onnx(nn.Sequential(module), SHAPE, tmp_path / "model.onnx")


# ---------------------------------------------------------------- trainer, data, extra


def test_fit_learns_and_repeats() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 256)
    x = rng.uniform(0, 0.4, (256, 1, 4, 4)).astype(np.float32)
    x[y == 1, :, :2] += 0.5
    recipe = Recipe(epochs=4, batch=32, shift=0.2)

    def train() -> tuple[np.ndarray, list[int]]:
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Flatten(),
            QuantLinear(16, 8, quantiser=LearnedStepWeight(4, 8)),
            LearnedStepActivation(),
            QuantLinear(8, 2),
        )
        epochs: list[int] = []
        fit(model, x, y, recipe, epochs.append)
        return predict(model, x), epochs

    (first, epochs), (second, _) = train(), train()
    assert epochs == [1, 2, 3, 4]
    assert accuracy(first, y) > 0.95
    np.testing.assert_array_equal(first, second)


def test_missing_torch_names_the_extra() -> None:
    program = "import sys; sys.modules['torch'] = None; import onnx2snn.training"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MissingExtraError" in result.stderr
    assert "onnx2snn[torch]" in result.stderr
