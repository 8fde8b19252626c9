"""What a layer asks of a chip at worst, against what the chip holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps

import numpy as np

from onnx2snn.artifact import Network
from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.chains.layers import Output, Population, UnitPopulation
from onnx2snn.backends.chains.rules import chain_if_sound, ladder_if_sound
from onnx2snn.ir import Array

Layer = Population | UnitPopulation | Output


@dataclass(frozen=True)
class Limit:
    """One number of a layer, whatever its input: from `low` to `high`, at most `most` expected and at least `least`.

    label: the node to name.  what: the number in words.  advice: what would help.
    """

    label: str
    what: str
    low: int
    high: int
    least: int
    most: int
    advice: str

    @property
    def holds(self) -> bool:
        """Whether the chip can hold it."""
        return self.least <= self.low and self.high <= self.most

    def __str__(self) -> str:
        found = f"{self.low}" if self.low == self.high else f"{self.low} to {self.high}"
        return f"{self.label} needs {self.what} of {found}, {self.least} to {self.most} expected; {self.advice}"


LayerRule = Callable[[Layer, int], Limit | None]  #: the limit of a layer that runs so many ticks; None: does not matter


def in_every_layer(rule: LayerRule) -> DesignRule:
    """The design rule, of the same name, that every layer of a chain keeps the limit."""

    @wraps(rule)
    def check(network: Network) -> Iterable[str]:
        return [str(limit) for limit in broken((rule,), layers_if_sound(network), network.schedule.steps)]

    return check


def layers_if_sound(network: Network) -> tuple[Layer, ...]:
    """The layers of a chain of either code; none where a rule about its structure is broken."""
    chain = chain_if_sound(network) or ladder_if_sound(network)
    return () if chain is None else chain.layers


def within(rules: Iterable[LayerRule], layer: Layer, steps: int) -> bool:
    """Whether a layer keeps all of these rules."""
    return not broken(rules, (layer,), steps)


def broken(rules: Iterable[LayerRule], layers: Iterable[Layer], steps: int) -> list[Limit]:
    """The limits that layers do not keep, layer after layer."""
    known = tuple(rules)
    limits = [rule(layer, steps) for layer in layers for rule in known]
    return [limit for limit in limits if limit is not None and not limit.holds]


def ends(*arrays: Array) -> tuple[int, int]:
    """The least and the greatest of all entries."""
    return min(int(np.min(a)) for a in arrays), max(int(np.max(a)) for a in arrays)
