"""Stage 2 of Rate Norm networks: the loss written out, what it trains, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")
pytest.importorskip("lightning", reason="training needs the train extra: pip install 'onnx2snn[train]'")

from torch import Tensor, nn  # noqa: E402

from onnx2snn.errors import UsageError  # noqa: E402
from onnx2snn.recipes import Recipe, read_plan  # noqa: E402
from onnx2snn.training import build, scheme  # noqa: E402
from onnx2snn.training.fit import How, array_data, fit  # noqa: E402
from onnx2snn.training.fit.objectives import RateInference, rate_norms, with_omega  # noqa: E402

SHAPE = (1, 18, 18)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    model = build("rnl-cnn", scheme("rate-norm"), SHAPE, 3)
    for _ in range(3):
        model(images(32))
    return model


def images(count: int) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(count))


def test_the_loss_is_the_papers() -> None:
    model, x = network().eval(), images(8)
    teacher = deepcopy(model)
    loss = RateInference(model, weight=0.7, scale=0.5)
    found = loss(model, x, torch.zeros(8, dtype=torch.long)).item()

    p = 1 / (1 + np.exp(-0.5))
    rates: list[np.ndarray] = []
    with torch.no_grad():
        wanted, outputs = teacher(x).numpy(), model(x).numpy()
        value = x
        for name, module in model.named_children():
            if name.startswith("conv"):
                assert isinstance(module, nn.Sequential)
                before = module[1](module[0](value)).numpy()
                theta = p * model.get_buffer(f"{name}.act.maximum").item() + 1e-6
                rates.append(np.clip(np.maximum(before, 0) / theta, 0, 1))
            value = module(value)
    rates.append(np.maximum(outputs, 0) / outputs.max())
    omegas = [rate.sum() / ((rate**2).sum() + 1e-5) for rate in rates]
    cosine = (wanted * outputs).sum(1) / np.linalg.norm(wanted, axis=1) / np.linalg.norm(outputs, axis=1)
    assert len(omegas) == 4
    assert found == pytest.approx(1 - cosine.mean() + 0.7 * np.mean(omegas), rel=1e-4)


def test_the_maxima_are_locked_and_one_scale_is_left() -> None:
    model = network().train()
    before = [layer.maximum.item() for layer in rate_norms(model)]
    loss = RateInference(model, weight=1.0, scale=3.0)
    loss(model, images(8) * 50, torch.zeros(8)).backward()
    assert [layer.maximum.item() for layer in rate_norms(model)] == before
    assert len({id(layer.scale) for layer in rate_norms(model)}) == 1
    assert rate_norms(model)[0].scale.grad is not None


def test_a_run_gets_faster_within_its_tolerance(tmp_path: Path) -> None:
    model = network()
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 96)
    x = rng.uniform(0, 0.3, (96, *SHAPE)).astype(np.float32)
    for i, label in enumerate(y):
        x[i, 0, 6 * label : 6 * label + 6] += 0.6
    data = array_data("bars", (x, y), (x[:48], y[:48]), (x[48:], y[48:]), classes=("a", "b", "c"))
    first = fit(
        model, data, Recipe(epochs=3, batch=16, rate=0.05, trains="weights"), tmp_path / "1", how=How(device="cpu")
    )
    assert first.omega is None
    weights = {name: value.clone() for name, value in model.named_parameters() if "scale" not in name}
    with torch.no_grad():
        _, slow = with_omega(model, torch.from_numpy(x[:48]))
    recipe = read_plan("rnl-stage2").at(32, {"epochs": 3, "batch": 16, "rate": 1.0, "tolerance": 0.1})
    second = fit(model, data, recipe, tmp_path / "2", how=How(device="cpu"))
    assert second.at_start is not None
    assert second.omega is not None
    assert second.at_start[0] == first.validation
    assert second.omega < second.at_start[1] < slow.item() + 1
    assert second.validation is not None
    assert second.validation > second.at_start[0] - 0.1
    for name, value in model.named_parameters():
        if "scale" not in name:
            assert torch.equal(value, weights[name]), f"{name} has moved"
    assert fit(model, data, recipe, tmp_path / "2", how=How(device="cpu"), resume=True) == second


def test_other_networks_have_no_rates() -> None:
    with pytest.raises(UsageError, match="scheme rate-norm"):
        RateInference(build("rnl-cnn", scheme("lsq", 4), SHAPE, 3), 1.0, 4.0)
