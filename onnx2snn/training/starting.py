"""Starting a network from a trained one of another precision or method."""

from __future__ import annotations

from torch import nn

from onnx2snn.errors import located
from onnx2snn.training.quantisers import RateNorm
from onnx2snn.training.quantisers.base import Quantiser
from onnx2snn.training.runs import RunError, check_shapes

QUANTISERS = (Quantiser, RateNorm)


def quantiser_tensors(network: nn.Module) -> dict[str, nn.Module]:
    """The names of all tensors that belong to quantisers, with the quantiser of each."""
    found = [(path, module) for path, module in network.named_modules() if isinstance(module, QUANTISERS)]
    return {f"{path}.{key}" if path else key: module for path, module in found for key in module.state_dict()}


def start_from(network: nn.Module, trained: nn.Module, *, same: bool = False, name: str = "the run") -> None:
    """Copies the tensors of `trained` into `network`, by name.

    The two may differ in quantisers: what one has and the other has not stays as it is or is left out, and what both
    have is copied where it means the same, which is where the quantiser `carries` over or the method and precision are
    the `same`. Raises `RunError`, naming the tensors, where anything else is missing, left over or of another shape.
    """
    wanted, given = network.state_dict(), trained.state_dict()
    ours, theirs = quantiser_tensors(network), quantiser_tensors(trained)
    with located(f"starting from {name}"):
        if missing := [key for key in wanted if key not in given and key not in ours]:
            raise RunError(f"{_some(missing)} expected, found none")
        if left := [key for key in given if key not in wanted and key not in theirs]:
            raise RunError(f"{_some(left)} found, which the network does not have")
        taken = {
            key: tensor
            for key, tensor in given.items()
            if key in wanted and (key not in ours or same or _carries(ours[key], theirs.get(key)))
        }
        check_shapes(wanted, taken)
    network.load_state_dict({**wanted, **taken})


def _carries(ours: nn.Module, theirs: nn.Module | None) -> bool:
    return type(ours) is type(theirs) and getattr(ours, "carries", True)


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
