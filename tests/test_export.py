"""Exported files against the networks they come from, in ONNX Runtime and converted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="training needs the torch extra: pip install 'onnx2snn[torch]'")

from torch import Tensor, nn  # noqa: E402

import onnx2snn  # noqa: E402
from onnx2snn.errors import UnknownNameError, UsageError  # noqa: E402
from onnx2snn.training import (  # noqa: E402
    ExportError,
    InputQuantiser,
    LearnedStepActivation,
    LearnedStepWeight,
    QuantConv2d,
    QuantLinear,
    build,
    compare,
    export_onnx,
    predict,
    run_onnx,
    scheme,
)
from onnx2snn.training.quantisers import QcfsActivation, RateNorm  # noqa: E402

SHAPE = (2, 9, 9)


def stepped(quantiser: LearnedStepActivation, step: float) -> LearnedStepActivation:
    """The quantiser as if a first batch had set this step."""
    quantiser.load_state_dict({"raw": torch.tensor(step), "started": torch.tensor(True)})
    return quantiser


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
    model, path = nn.Sequential(stepped(LearnedStepActivation(4), 0.25)), tmp_path / "model.onnx"
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


def trained(arch: str, name: str, bits: int, shape: tuple[int, int, int], **options: Any) -> nn.Sequential:
    """A small network of the zoo that has seen a few batches."""
    torch.manual_seed(3)
    model = build(arch, scheme(name, bits, **options), shape, 4)
    for _ in range(3):
        model(pixels(16, shape))
    return model.eval()


def pixels(count: int, shape: tuple[int, int, int]) -> Tensor:
    return torch.randint(0, 256, (count, *shape)).float() / 255


@pytest.mark.parametrize("dialect", ["qcdq", "qonnx"])
@pytest.mark.parametrize(
    ("name", "bits", "options"),
    [
        ("fast-snn", 2, {}),
        ("fast-snn", 3, {"grid": "uniform"}),
        ("lsq", 4, {}),
        ("pact", 3, {}),
        ("max-abs", 3, {}),
        ("qcfs", 2, {}),
        ("median", 4, {"k": 1, "bound": 2}),
        ("median", 4, {"k": 0, "bound": 4}),
    ],
)
def test_every_scheme_is_converted_exactly(
    name: str, bits: int, options: dict[str, Any], dialect: str, tmp_path: Path
) -> None:
    shape, path = (1, 18, 18), tmp_path / "model.onnx"
    model = trained("rnl-cnn", name, bits, shape, **options)
    x = pixels(8, shape)
    parity = export_onnx(model, shape, path, dialect, samples=x.numpy())
    assert parity is not None
    assert parity.differing == 0
    assert parity.runner.startswith("ONNX Runtime" if dialect == "qcdq" else "onnx.reference")
    conversion = onnx2snn.convert(path)
    assert conversion.certificate.exact
    np.testing.assert_allclose(conversion.simulate(x.numpy()).output, predict(model, x.numpy()), atol=1e-4)


@pytest.mark.parametrize("dialect", ["qcdq", "qonnx"])
def test_halves_that_go_up(dialect: str, tmp_path: Path) -> None:
    model, path = nn.Sequential(QcfsActivation(5, start=1.25)), tmp_path / "model.onnx"
    export_onnx(model, (40,), path, dialect)
    x = (np.arange(40, dtype=np.float32)[None] - 4) / 8
    np.testing.assert_array_equal(predict(model, x), run_onnx(path, x))


@pytest.mark.parametrize("arch", ["resnet20", "preact18"])
def test_residual_networks(arch: str, tmp_path: Path) -> None:
    shape, path = (3, 8, 8), tmp_path / "model.onnx"
    model = trained(arch, "fast-snn", 3, shape)
    parity = export_onnx(model, shape, path, samples=pixels(16, shape).numpy())
    assert parity is not None
    assert parity.differing <= 1
    adds = [node for node in onnx.load(path).graph.node if node.op_type == "Add"]
    assert len(adds) == {"resnet20": 9, "preact18": 8}[arch]


def test_float_networks(tmp_path: Path) -> None:
    shape, path = (1, 18, 18), tmp_path / "model.onnx"
    model, x = trained("rnl-cnn", "fast-snn", 32, shape), pixels(8, shape)
    export_onnx(model, shape, path, samples=x.numpy())
    np.testing.assert_allclose(run_onnx(path, x.numpy()), predict(model, x.numpy()), atol=1e-4)
    assert {node.op_type for node in onnx.load(path).graph.node} >= {"Conv", "Relu", "BatchNormalization"}


@pytest.mark.parametrize(("v0", "expected"), [(0.0, [0, 0, 1, 1, 4]), (0.5, [0, 1, 1, 2, 4])])
def test_rates_in_so_many_steps(v0: float, expected: list[int], tmp_path: Path) -> None:
    """theta = 2 in 4 steps: counts of x / 0.5, rounded down or to the nearest."""
    layer = RateNorm()
    with torch.no_grad():
        layer.maximum.fill_(2.0 - 1e-6)
        layer.scale.fill_(100.0)
        layer.started.fill_(True)
    path, x = tmp_path / "model.onnx", np.array([[-1.0, 0.3, 0.6, 0.9, 7.0]], np.float32)
    export_onnx(nn.Sequential(layer), (5,), path, levels=4, v0=v0)
    assert (run_onnx(path, x) * 4).tolist() == [expected]
    export_onnx(nn.Sequential(layer), (5,), path)
    np.testing.assert_allclose(run_onnx(path, x), [[0, 0.15, 0.3, 0.45, 1]], rtol=1e-5)


def test_steps_are_for_rate_norm_layers(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(UsageError, match="rate norm layers expected, found none"):
        export_onnx(nn.Sequential(nn.ReLU()), (5,), path, levels=4)
    with pytest.raises(UsageError, match=r"v0 0\.5: .*levels above 0 expected, found 0"):
        export_onnx(nn.Sequential(nn.ReLU()), (5,), path, v0=0.5)
    assert not path.exists()


def test_a_file_that_computes_something_else_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, path = (1, 18, 18), tmp_path / "model.onnx"
    model = trained("rnl-cnn", "lsq", 4, shape)
    path.write_bytes(b"precious")
    original = QuantLinear.forward

    def other(self: QuantLinear, x: Tensor) -> Tensor:
        return original(self, x).roll(1, 1)

    monkeypatch.setattr(QuantLinear, "forward", other)
    with pytest.raises(ExportError, match="the file computes another network"):
        export_onnx(model, shape, path, samples=pixels(16, shape).numpy())
    assert path.read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_unknown_dialects_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="qcdq, qonnx"):
        export_onnx(nn.Sequential(nn.Flatten()), (2,), tmp_path / "model.onnx", "qdq")


def test_parity_counts(tmp_path: Path) -> None:
    shape, path = (1, 18, 18), tmp_path / "model.onnx"
    model = trained("rnl-cnn", "lsq", 4, shape)
    export_onnx(model, shape, path)
    model[-1].bias.data += torch.tensor([100.0, 0, 0, 0])
    found = compare(model, path, pixels(12, shape).numpy())
    assert found.images == 12
    assert found.largest == pytest.approx(100, rel=1e-3)
