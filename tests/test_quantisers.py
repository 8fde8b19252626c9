"""Quantisers against the gradients of their papers, written out in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the torch extra: pip install 'onnx2snn[torch]'")

from torch import Tensor, nn  # noqa: E402

from onnx2snn.errors import UsageError  # noqa: E402
from onnx2snn.training.quantisers import (  # noqa: E402
    ActivationQuantiser,
    InputQuantiser,
    LearnedClipActivation,
    LearnedStepActivation,
    LearnedStepWeight,
    MaxAbsWeight,
    MedianActivation,
    NormalisedWeight,
    PactActivation,
    QcfsActivation,
    RateNorm,
    TernaryWeight,
    WeightQuantiser,
    apot_levels,
    omega,
)
from onnx2snn.training.quantisers.lsq import LearnedStep  # noqa: E402

Quantiser = TypeVar("Quantiser", bound=LearnedStep)


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


Gradient = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(x, y) -> (dy/dx, dy/dclip), entry by entry"""


def clipped(clip: float) -> Gradient:
    """Fast-SNN and QCFS: 1 within the range; 1 above the clip, what rounding added below it, nothing under zero."""

    def gradient(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        to_clip = np.where(x > clip, 1.0, np.where(x > 0, (y - x) / clip, 0.0))
        return ((x > 0) & (x <= clip)).astype(float), to_clip

    return gradient


def pact(clip: float) -> Gradient:
    return lambda x, y: (((x > 0) & (x <= clip)).astype(float), (x > clip).astype(float))


@pytest.mark.parametrize(
    ("quantise", "hi", "half_up", "formula"),
    [
        (LearnedClipActivation(3, start=2.1), 7, False, clipped(2.1)),
        (QcfsActivation(4, start=2.1), 4, True, clipped(2.1)),
        (PactActivation(2, start=2.1), 3, False, pact(2.1)),
    ],
    ids=["fast-snn", "qcfs", "pact"],
)
def test_clipped_activations(quantise: ActivationQuantiser, hi: int, half_up: bool, formula: Gradient) -> None:
    rng = np.random.default_rng(5)
    x, g = rng.normal(0.8, 1.2, (6, 50)), rng.normal(size=(6, 50))
    quantise = quantise.double()
    leaf = torch.tensor(x, requires_grad=True)
    value = quantise(leaf)
    value.backward(torch.tensor(g))
    step = quantise.step.item()
    assert step == pytest.approx(2.1 / hi)
    rounded = np.floor(x / step + 0.5) if half_up else np.rint(x / step)
    y = np.clip(rounded, 0, hi) * step
    np.testing.assert_allclose(value.detach().numpy(), y)
    to_x, to_clip = formula(x, y)
    assert 0 < to_x.sum() < to_x.size
    np.testing.assert_allclose(gradient(leaf), to_x * g)
    np.testing.assert_allclose(gradient(next(quantise.parameters())), (to_clip * g).sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("quantise", "expected"),
    [
        (LearnedClipActivation(2, start=3.0), [0, 0, 2, 2, 3]),
        (QcfsActivation(3, start=3.0), [0, 1, 2, 3, 3]),
        (MedianActivation(0, 3), [0, 1, 2, 3, 3]),
    ],
    ids=["half-even", "qcfs", "median"],
)
def test_ties(quantise: ActivationQuantiser, expected: list[int]) -> None:
    assert quantise(torch.tensor([-0.5, 0.5, 1.5, 2.5, 3.5])).tolist() == expected


def test_median_levels_and_gradient() -> None:
    quantise = MedianActivation(k=1, bound=2)
    x = torch.tensor([-1.0, 0.2, 0.3, 0.9, 1.8, 2.5], requires_grad=True)
    y = quantise(x)
    y.sum().backward()
    assert y.tolist() == [0.0, 0.0, 0.5, 1.0, 2.0, 2.0]
    assert gradient(x).tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("bits", "levels"),
    [
        (2, (0, 1)),
        (3, (0, 1, 2, 4)),
        (4, (0, 1, 2, 3, 4, 6, 8, 10)),
        (5, (0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48)),
    ],
)
def test_apot_levels(bits: int, levels: tuple[int, ...]) -> None:
    """At 4 bits {0, .1, .2, .3, .4, .6, .8, 1} of the clip; at 5 {0, 1/48, 1/24, 1/16 ... 1}."""
    assert apot_levels(bits) == levels
    assert len(apot_levels(6)) == 32
    assert apot_levels(6)[-1] == 100


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("grid", ["apot", "uniform"])
@pytest.mark.parametrize("clipped_gradient", [True, False])
def test_normalised_weights(bits: int, grid: Any, clipped_gradient: bool) -> None:
    rng = np.random.default_rng(6)
    w, g = rng.normal(0.1, 0.4, (5, 3, 3)), rng.normal(size=(5, 3, 3))
    quantise = NormalisedWeight(bits, grid, start=1.3, clipped_gradient=clipped_gradient).double()
    leaf = torch.tensor(w, requires_grad=True)
    value = quantise(leaf)
    value.backward(torch.tensor(g))
    levels = np.array(apot_levels(bits) if grid == "apot" else range(2 ** (bits - 1))) / quantise.hi
    u = (w - w.mean()) / w.std(ddof=1) / 1.3
    clip = np.clip(u, -1, 1)
    q = np.sign(clip) * levels[np.abs(np.abs(clip)[..., None] - levels).argmin(-1)]
    np.testing.assert_allclose(value.detach().numpy(), 1.3 * q, rtol=1e-6)
    assert 0 < (np.abs(u) > 1).sum() < u.size
    to_clip = np.where(np.abs(u) > 1, np.sign(u), q - u)
    np.testing.assert_allclose(gradient(quantise.clip), (to_clip * g).sum(), rtol=1e-6)
    passed = g if bits == 2 or not clipped_gradient else g * (np.abs(u) <= 1)
    if clipped_gradient:  # back through mean and deviation
        z, n = (w - w.mean()) / w.std(ddof=1), w.size
        expected = (passed - passed.mean() - z * (passed * z).sum() / (n - 1)) / w.std(ddof=1)
    else:
        expected = passed / w.std(ddof=1)
    np.testing.assert_allclose(gradient(leaf), expected, rtol=1e-6, atol=1e-9)


def test_ternary_weights() -> None:
    w = torch.tensor([[0.9, -0.2, 0.6, -1.0]], requires_grad=True)
    quantise = TernaryWeight()
    value = quantise(w)
    value.backward(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert value.tolist() == [[1.0, 0.0, 1.0, -1.0]]
    assert gradient(w).tolist() == [[1.0, 2.0, 3.0, 4.0]]


def test_largest_magnitude_sets_the_step() -> None:
    """A negative weight may be the largest."""
    w = torch.tensor([[1.0, -2.54], [0.5, 0.254]], requires_grad=True)
    whole, rows = MaxAbsWeight(8), MaxAbsWeight(8, per_channel=True)
    assert whole.codes(w).tolist() == [[50, -127], [25, 13]]
    np.testing.assert_allclose(rows.step_of(w).numpy(), [2.54 / 127, 0.5 / 127], rtol=1e-6)
    whole(w).sum().backward()
    assert gradient(w).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    "quantise",
    [
        NormalisedWeight(3),
        NormalisedWeight(4, "uniform"),
        MaxAbsWeight(4),
        MaxAbsWeight(8, per_channel=True),
        TernaryWeight(),
        LearnedStepWeight(4, 6),
    ],
    ids=lambda quantise: type(quantise).__name__,
)
def test_codes_times_step_is_the_forward_value_bit_for_bit(quantise: WeightQuantiser) -> None:
    weight = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    value = quantise(weight)
    codes = quantise.codes(weight)
    assert codes.dtype == torch.int8
    assert quantise.lo <= int(codes.min()) < 0 < int(codes.max()) <= quantise.hi
    assert torch.equal(value, quantise.quantised(weight))


def test_rate_norm_tracks_clips_and_locks() -> None:
    layer = RateNorm()
    x = torch.tensor([[-1.0, 2.0, 4.0]])
    layer(x)
    assert layer.maximum.item() == 4
    layer(x * 2)
    assert layer.maximum.item() == pytest.approx(4 + 0.1 * 4)
    layer.locked = True
    layer(x * 100)
    assert layer.maximum.item() == pytest.approx(4.4)
    with torch.no_grad():
        layer.scale.fill_(0.0)  # p = 1/2
    np.testing.assert_allclose(layer(x).detach().numpy(), [[0, 2 / 2.2, 1]], rtol=1e-5)


def test_rate_norm_gradients() -> None:
    """r = x / (p M): dr/dx = 1 / theta, dr/dscale = -r (1 - p) where 0 < r < 1."""
    layer = RateNorm().eval().double()
    with torch.no_grad():
        layer.maximum.fill_(2.0)
        layer.scale.fill_(1.0)
    p = 1 / (1 + np.exp(-1.0))
    x = torch.tensor([-1.0, 0.5, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
    layer(x).sum().backward()
    np.testing.assert_allclose(gradient(x), [0, 1 / (2 * p), 1 / (2 * p), 0], rtol=1e-5)
    np.testing.assert_allclose(gradient(layer.scale), -(1.5 / (2 * p)) * (1 - p), rtol=1e-5)


def test_omega() -> None:
    assert omega(torch.tensor([0.5, 0.5, 0.0])).item() == pytest.approx(2, rel=1e-4)
    assert omega(torch.ones(10)).item() == pytest.approx(1, rel=1e-4)
