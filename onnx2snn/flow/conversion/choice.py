"""Which code a backend runs, where none is asked for and it can choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onnx2snn.artifact import Network
from onnx2snn.backends.base import Backend, Price
from onnx2snn.errors import BackendError, PassError
from onnx2snn.flow.conversion.options import Options


@dataclass(frozen=True)
class Choice:
    """A code, the network in it, and why it was taken, in words."""

    code: str
    network: Network
    why: str


def choose(backend: Backend, options: Options, lower: Callable[[str], Network]) -> Choice:
    """The code that leaves fewest ops inexact of those that `backend` chooses from, of equals the one of lowest price.

    lower: makes the network of a code and checks its design rules.  Raises the error of the last code where none fits,
    with what the others said if it was something else.
    """
    found: dict[str, tuple[Network, Price]] = {}
    refused: dict[str, BackendError | PassError | str] = {}
    for code in backend.chooses:
        if unfit := options.excludes(code):
            refused[code] = unfit
            continue
        try:
            network = lower(code)
            found[code] = network, backend.price(network)
        except (BackendError, PassError) as error:
            refused[code] = error
    if not found:
        raise _none(refused)
    code = min(found, key=lambda c: (_inexact(found[c][0]), found[c][1].amount))
    others = [f"{_called(c, *found[c])} would take {found[c][1].words}" for c in found if c != code]
    prefix = f"backend {backend.name} cannot take this network: "
    others += [f"{other} does not fit: {str(reason).removeprefix(prefix)}" for other, reason in refused.items()]
    why = "; ".join([f"code {_called(code, *found[code])} takes {found[code][1].words}", *others])
    return Choice(code, found[code][0], why)


def _inexact(network: Network) -> int:
    return sum(verdict.exactness != "exact" for verdict in network.certificate.verdicts)


def _called(code: str, network: Network, _: Price) -> str:
    proof = network.certificate
    if proof.exact:
        return f"{code} (proven exact)"
    return f"{code} ({'proven exact but for the approximations' if proof.proven_as_staircases else 'not proven exact'})"


def _none(refused: dict[str, BackendError | PassError | str]) -> BackendError | PassError:
    *others, last = refused.items()
    error = last[1]
    assert not isinstance(error, str)  # `if` is excluded by no option
    more = [f"with code {code}: {other}" for code, other in others if str(other) != str(error)]
    return type(error)("; ".join([str(error), *more])) if more else error
