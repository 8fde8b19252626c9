"""The records that the tables of all chips share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from pydantic import NonNegativeInt, PositiveInt, model_validator

from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.backends.chains.tables import Record, Sizes


class LayerBase(Record):
    """What the records of a chain's layers share.

    first_tick, last_tick: when it runs. Outside these ticks it stands still: the host switches it on and off.
    shift: its weights, thresholds and membranes are 2^shift times those of the network's accumulator.
    """

    name: str
    shape: Sizes
    first_tick: NonNegativeInt
    last_tick: NonNegativeInt
    shift: NonNegativeInt

    @property
    @abstractmethod
    def wiring(self) -> Geometry | None:
        """Where the synapse leads that feeds it; None where the host does."""

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))


class TablesBase(Record):
    """What the tables of all chips share.

    steps: ticks that each layer runs.  ticks: from the first tick of the first layer to the last of the readout.
    """

    steps: PositiveInt
    ticks: PositiveInt

    @property
    @abstractmethod
    def layers(self) -> tuple[LayerBase, ...]:
        """The records of all layers, the readout last."""

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Self:
        if len(self.layers) < 2 or self.ticks != self.steps + len(self.layers) - 1:
            raise ValueError(f"{self.ticks} ticks do not go with {self.steps} steps and {len(self.layers)} layers")
        before: LayerBase | None = None
        for tick, layer in enumerate(self.layers):
            if (layer.first_tick, layer.last_tick) != (tick, tick + self.steps - 1):
                raise ValueError(f"{layer.name} must run from tick {tick} to {tick + self.steps - 1}")
            _follows(layer, before)
            before = layer
        return self


def _follows(layer: LayerBase, before: LayerBase | None) -> None:
    wiring = layer.wiring
    if (wiring is None) != (before is None):
        raise ValueError(f"{layer.name}: a synapse feeds every layer but the first")
    if wiring is not None and before is not None and wiring.source != before.shape:
        raise ValueError(f"{layer.name} reads {wiring.source}, {before.name} before it is {before.shape}")
    if wiring is not None and np.prod(wiring.makes) != layer.size:
        raise ValueError(f"{layer.name}: {wiring.makes} sums for {layer.shape} neurons")
