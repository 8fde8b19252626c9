"""A network that starts from another one's weights: the next precision, or the next stage."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from onnx2snn.errors import UsageError
from onnx2snn.training.quantisers import Quantiser, RateNorm


def start_from(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Loads `state`, the state dict of a network of the same architecture, into `model` in place.

    Only quantisers may differ: those whose parameters mean the same at every precision carry them over, the others
    start anew, and what `model` has no place for is left out. Raises `UsageError` naming the keys for anything else.
    """
    own = model.state_dict()
    fresh = _prefixes(model, carried=False)
    quantisers = (*fresh, *_prefixes(model, carried=True))
    taken = {key: value for key, value in state.items() if key in own and not key.startswith(fresh)}
    missing = sorted(key for key in own if key not in taken and not key.startswith(quantisers))
    unknown = sorted(key for key in state if key not in own and not _of_quantiser(key))
    if missing or unknown:
        found = f"missing {_list(missing)}, not known here {_list(unknown)}"
        raise UsageError(f"start: the same architecture expected; {found}")
    for key, value in taken.items():
        if value.shape != own[key].shape:
            raise UsageError(f"start: {key}: shape {tuple(own[key].shape)} expected, found {tuple(value.shape)}")
    model.load_state_dict({**own, **taken})


def _prefixes(model: nn.Module, carried: bool) -> tuple[str, ...]:
    kinds = (Quantiser, RateNorm)
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, kinds)]
    return tuple(f"{name}." for name, module in found if carried == (isinstance(module, Quantiser) and module.carries))


def _of_quantiser(key: str) -> bool:
    """Whether a key that this network lacks belongs to a quantiser of the other one."""
    return ".quantiser." in key or key.rsplit(".", 2)[-2] in ("act", "input")


def _list(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "") if keys else "nothing"
