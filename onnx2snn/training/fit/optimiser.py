"""The optimiser and the schedule that a recipe asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import nn

from onnx2snn.errors import UsageError
from onnx2snn.recipes import Recipe
from onnx2snn.training.quantisers import RateNorm
from onnx2snn.training.quantisers.base import ActivationQuantiser
from onnx2snn.training.starting import QUANTISERS


def optimiser_for(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD or Adam over four groups: weights, quantisers of weights, of activations, and everything else."""
    activations = _parameters_of(network, (ActivationQuantiser, RateNorm))
    quantisers = [p for p in _parameters_of(network, QUANTISERS) if not _among(p, activations)]
    rest = [p for p in network.parameters() if p.requires_grad and not _among(p, [*activations, *quantisers])]
    everywhere = recipe.decay if recipe.decay_on == "all" else 0.0
    step_decay = everywhere if recipe.quantiser_decay is None else recipe.quantiser_decay
    step_rate = recipe.quantiser_rate or recipe.rate
    groups = [
        _group([p for p in rest if p.ndim > 1], recipe.rate, recipe.decay),
        _group([p for p in rest if p.ndim <= 1], recipe.rate, everywhere),
        _group(quantisers, step_rate, step_decay),
        _group(activations, recipe.activation_rate or step_rate, step_decay),
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimiser == "adam":
        return torch.optim.Adam(groups)
    return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.nesterov)


@contextmanager
def frozen(network: nn.Module, recipe: Recipe) -> Generator[None]:
    """Inside, what the recipe does not train has no gradient."""
    wanted = [p for p in network.parameters() if p.requires_grad]
    quantisers = _parameters_of(network, QUANTISERS)
    still = [p for p in wanted if recipe.trains != "all" and _among(p, quantisers) != (recipe.trains == "quantisers")]
    if len(still) == len(wanted):
        raise UsageError(f"trains = {recipe.trains}: the network has no such parameters")
    try:
        for parameter in still:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in still:
            parameter.requires_grad_(True)


def _group(parameters: list[nn.Parameter], rate: float, decay: float) -> dict[str, object]:
    return {"params": parameters, "lr": rate, "weight_decay": decay}


def _parameters_of(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> list[nn.Parameter]:
    found = {id(p): p for m in network.modules() if isinstance(m, kinds) for p in m.parameters() if p.requires_grad}
    return list(found.values())


def _among(parameter: nn.Parameter, others: list[nn.Parameter]) -> bool:
    return any(parameter is other for other in others)


def schedule_for(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """The factor on every rate at step k of `steps`, as the recipe's docstring defines it."""
    warm = recipe.warmup * steps
    per_epoch = steps / recipe.epochs
    drops = [round(share * recipe.epochs) * per_epoch for share in recipe.milestones]

    def factor(step: int) -> float:
        if recipe.schedule == "cosine":
            start = 0.5 * (1 + math.cos(math.pi * step / steps))
        elif recipe.schedule == "steps":
            start = recipe.factor ** sum(step >= drop for drop in drops)
        else:
            start = 1.0
        return min(start, (step + 1) / warm) if warm else start

    return factor
