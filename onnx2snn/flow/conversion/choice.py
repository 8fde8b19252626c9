"""Which code a backend runs, where none is asked for and it can choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onnx2snn.artifact import Network
from onnx2snn.backends.base import Backend, Price
from onnx2snn.errors import BackendError, PassError, UsageError
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
            refused[code] = str(UsageError(unfit))
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
    *others, (_, last) = refused.items()
    assert not isinstance(last, str)  # `if` is excluded by no option
    own = last.reasons or (str(last),)
    more = [f"with code {c}: {said}" for c, other in others for said in _said(other, last) if said not in own]
    if not more:
        return last
    both = type(last)(last.summary if last.reasons else "", (*own, *more))
    both.path = last.path if last.reasons else ()
    return both


def _said(other: BackendError | PassError | str, last: BackendError | PassError) -> tuple[str, ...]:
    """What stands against a code: reason by reason, where it stands against the same as those of the last code."""
    if isinstance(other, str) or not other.reasons or (other.summary, other.path) != (last.summary, last.path):
        return (str(other),)
    return other.reasons
