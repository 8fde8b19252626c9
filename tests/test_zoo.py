"""The model zoo: the shapes and sizes of the published networks, for every scheme."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs the torch extra: pip install 'onnx2snn[torch]'")

from torch import nn  # noqa: E402

from onnx2snn.errors import UnknownNameError, UsageError  # noqa: E402
from onnx2snn.training import ARCHITECTURES, QuantConv2d, QuantLinear, build, scheme  # noqa: E402
from onnx2snn.training.quantisers import MaxAbsWeight, NormalisedWeight, RateNorm  # noqa: E402
from onnx2snn.training.runs import RunError  # noqa: E402
from onnx2snn.training.scheme import SCHEMES  # noqa: E402
from onnx2snn.training.starting import start_from  # noqa: E402

SHAPES = {"lenet": (1, 28, 28), "rnl-cnn": (1, 28, 28), "vggnet": (3, 24, 24)}


def weights(model: nn.Module) -> int:
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, QuantConv2d | QuantLinear))


@pytest.mark.parametrize(
    ("arch", "shape", "expected"),
    [
        ("alexnet", (3, 32, 32), 11_729_440),
        ("vgg11", (3, 32, 32), 34_424_512),
        ("resnet20", (3, 32, 32), 270_896),
        ("resnet56", (3, 32, 32), 851_504),
        ("vggnet", (3, 24, 24), 5_069_504),
        ("lenet", (1, 28, 28), 158_352),
    ],
)
def test_numbers_of_weights(arch: str, shape: tuple[int, int, int], expected: int) -> None:
    """Counted by hand from the published layers."""
    assert weights(build(arch, scheme("float"), shape, 10)) == expected


@pytest.mark.parametrize("arch", [name for name in ARCHITECTURES if "imagenet" not in name])
def test_shapes(arch: str) -> None:
    shape = SHAPES.get(arch, (3, 16, 16))
    model = build(arch, scheme("fast-snn", 3), shape, 7)
    model.eval()
    with torch.no_grad():
        assert model(torch.rand(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize(
    ("arch", "convs", "flat"), [("alexnet-imagenet", 5, 6 * 6 * 256), ("vgg16-imagenet", 13, 25088)]
)
def test_imagenet_networks_without_running_them(arch: str, convs: int, flat: int) -> None:
    with torch.device("meta"):
        model = build(arch, scheme("float"), (3, 224, 224), 1000)
        assert model(torch.rand(2, 3, 224, 224)).shape == (2, 1000)
    assert sum(isinstance(m, QuantConv2d) for m in model.modules()) == convs
    assert next(m for m in model.modules() if isinstance(m, QuantLinear)).in_features == flat


@pytest.mark.parametrize("name", SCHEMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = build("rnl-cnn", scheme(name, 3), (1, 18, 18), 3)
    model(torch.rand(4, 1, 18, 18)).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_ends_have_eight_bits_and_the_rest_what_was_asked() -> None:
    model = build("alexnet", scheme("fast-snn", 2), (1, 28, 28), 10)
    layers = [m for m in model.modules() if isinstance(m, QuantConv2d | QuantLinear)]
    kinds = [type(layer.quantiser) for layer in layers]
    assert kinds == [MaxAbsWeight, *[NormalisedWeight] * 5, MaxAbsWeight]
    assert {layer.quantiser.bits for layer in layers[1:-1] if isinstance(layer.quantiser, NormalisedWeight)} == {2}


def test_a_precision_starts_from_the_one_before() -> None:
    """Weights and statistics go over, clips from one precision to the next; steps of LSQ start anew."""
    shape = (1, 18, 18)
    wide = build("rnl-cnn", scheme("fast-snn", 32), shape, 4)
    four = build("rnl-cnn", scheme("fast-snn", 4), shape, 4)
    start_from(four, wide)
    assert torch.equal(four.get_parameter("conv2.conv.weight"), wide.get_parameter("conv2.conv.weight"))
    with torch.no_grad():
        four.get_parameter("conv1.act.clip").fill_(1.25)
        four.get_parameter("conv2.conv.quantiser.clip").fill_(1.5)
    three = build("rnl-cnn", scheme("fast-snn", 3), shape, 4)
    start_from(three, four)
    assert three.get_parameter("conv1.act.clip").item() == 1.25
    assert three.get_parameter("conv2.conv.quantiser.clip").item() == 1.5
    learned = build("rnl-cnn", scheme("lsq", 4), shape, 4)
    learned(torch.rand(4, *shape))
    again = build("rnl-cnn", scheme("lsq", 2), shape, 4)
    start_from(again, learned)
    assert not again.get_buffer("conv1.act.started").item()


def test_another_network_is_no_start() -> None:
    lenet, other = (build(arch, scheme("float"), (1, 28, 28), 10) for arch in ("lenet", "rnl-cnn"))
    with pytest.raises(RunError, match=r"conv4.* expected, found none"):
        start_from(lenet, other)
    wider = build("rnl-cnn", scheme("float"), (1, 30, 30), 10)
    with pytest.raises(RunError, match=r"out\.weight: shape \(10, 512\) expected, found \(10, 288\)"):
        start_from(wider, other)


def test_rate_norm_networks_have_rates_for_activations() -> None:
    model = build("rnl-cnn", scheme("rate-norm"), (1, 28, 28), 10)
    assert sum(isinstance(m, RateNorm) for m in model.modules()) == 3


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: scheme("lqs", 4), UnknownNameError, "no scheme 'lqs'; known: float, fast-snn"),
        (lambda: scheme("fast-snn", 9), UsageError, "2 to 8 .or 32 for none. expected, found 9"),
        (lambda: scheme("fast-snn", 4, grid="cubic"), UsageError, "apot or uniform"),
        (lambda: scheme("pact", 4, k=1), UsageError, "options start expected, found k"),
        (lambda: build("resnet21", scheme("float"), (3, 32, 32), 10), UnknownNameError, "resnet20"),
        (lambda: build("lenet", scheme("float"), (1, 8, 8), 10), UsageError, "5 x 5 window"),
        (lambda: build("lenet", scheme("float"), (1, 28, 28), 1), UsageError, "at least 2 classes"),
    ],
)
def test_wrong_wishes(make: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()  # type: ignore[operator]
