"""Training through spikes, and what moves between devices."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch_networks import CODES, MODELS, SILENT, network, samples  # noqa: E402

from onnx2snn.backends.torch import build  # noqa: E402


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", MODELS)
def test_gradients_reach_every_weight_threshold_and_bias(name: str, code: str) -> None:
    made = network(name, code, False, 2)
    module = build(made.graph, made.schedule.steps, None if code in SILENT else 2)
    output = module(torch.from_numpy(samples(made, 16)))
    (output * torch.linspace(-1, 1, output.numel()).reshape(output.shape)).sum().backward()
    weights = [key for key, _ in module.named_parameters() if key.endswith("weight")]
    assert len(weights) >= 4
    for key, parameter in module.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("code", CODES)
def test_training_lowers_a_loss_in_float32(code: str) -> None:
    made = network("lenet", code, False, 2)
    module = (build(made.graph, made.schedule.steps) if code in SILENT else build(made.graph, 4, 2)).float()
    x, labels = torch.from_numpy(samples(made, 24)), torch.arange(24) % 5
    thresholds = [parameter for key, parameter in module.named_parameters() if key.endswith("theta")]
    others = [parameter for key, parameter in module.named_parameters() if not key.endswith("theta")]
    optimiser = torch.optim.Adam([{"params": others}, {"params": thresholds, "lr": 5e-4}], lr=0.01)
    losses: list[float] = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(x), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert module(x).dtype == torch.float32
    assert losses[-1] < 0.75 * losses[0], losses


@pytest.mark.parametrize("integer", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_everything_moves_with_the_module_to_another_device(name: str, integer: bool) -> None:
    made = network(name, integer=integer, settle=1)
    module = build(made.graph, made.schedule.steps, 1).to("meta")
    output = module(torch.empty((3, *made.input_shape), device="meta"))  # ops across devices are errors
    assert output.shape == (3, *made.graph.shape(made.graph.outputs[0]))
    assert {counts.device.type for counts in module.counts.values()} == {"meta"}


def test_integer_networks_have_nothing_to_train() -> None:
    made = network("residual")
    module = build(made.graph, made.schedule.steps)
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert not module(torch.from_numpy(samples(made))).requires_grad
