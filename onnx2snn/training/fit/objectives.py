"""What training minimises: an objective maps a network and a batch to a loss."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import deepcopy
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from onnx2snn.errors import UsageError
from onnx2snn.recipes import Recipe
from onnx2snn.training.quantisers import RateNorm, omega


class Objective(Protocol):
    """The loss of a batch: images x (N, C, H, W), classes y (N,)."""

    def __call__(self, network: nn.Module, x: Tensor, y: Tensor) -> Tensor: ...


def cross_entropy(smoothing: float) -> Objective:
    """Cross-entropy with smoothed labels."""

    def loss(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(network(x), y, label_smoothing=smoothing)

    return loss


class RateInference:
    """Rate Inference Loss (Ding et al., IJCAI 2021): 1 - mean cos(o*, o) + weight * mean Omega.

    o: the logits; o*: those of the network as it was at the start. Omega: see `omega`, averaged over the rates of every
    rate norm layer and the logits' own, relu(o) / max(o). Making one locks the maxima and gives all layers of the
    network one scale, which starts at `scale`.
    """

    def __init__(self, network: nn.Module, weight: float, scale: float) -> None:
        self.weight = weight
        layers = rate_norms(network)
        self.teacher = deepcopy(network).eval().requires_grad_(False)
        with torch.no_grad():
            layers[0].scale.fill_(scale)
        for layer in layers:
            layer.locked = True
            layer.scale = layers[0].scale

    def __call__(self, network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        network.eval()  # batch normalisation keeps its statistics
        with torch.no_grad():
            wanted = self.teacher.to(x.device)(x)
        outputs, speed = with_omega(network, x)
        return 1 - functional.cosine_similarity(wanted, outputs).mean() + self.weight * speed


def objective_for(network: nn.Module, recipe: Recipe) -> Objective:
    """What the recipe asks for; raises `UsageError` where the network cannot have it."""
    if recipe.loss == "rate-inference":
        return RateInference(network, recipe.omega_weight, recipe.rate_scale)
    return cross_entropy(recipe.smoothing)


def rate_norms(network: nn.Module) -> list[RateNorm]:
    """The rate norm layers; raises `UsageError` where there are none."""
    found = [module for module in network.modules() if isinstance(module, RateNorm)]
    if not found:
        raise UsageError("rate inference: a network with rate norm layers expected (scheme rate-norm), found none")
    return found


def with_omega(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The logits (N, classes), and Omega averaged over rate norm layers and logits."""
    with _listening(network) as rates:
        outputs = network(x)
    rates.append(outputs.relu() / outputs.max().clamp_min(1e-6))
    return outputs, torch.stack([omega(rate) for rate in rates]).mean()


@contextmanager
def _listening(network: nn.Module) -> Generator[list[Tensor]]:
    rates: list[Tensor] = []

    def keep(module: nn.Module, given: object, rate: Tensor) -> None:
        rates.append(rate)

    hooks: list[Callable[[], None]] = [layer.register_forward_hook(keep).remove for layer in rate_norms(network)]
    try:
        yield rates
    finally:
        for remove in hooks:
            remove()
