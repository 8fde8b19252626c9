"""The records that the tables of all chips share for code `ladder`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from pydantic import NonNegativeInt, PositiveInt, model_validator

from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.backends.chains.ladder.host import ComparatorsRecord
from onnx2snn.backends.chains.tables import Record, Sizes


class LadderLayerBase(Record):
    """What the records of a chain's layers share.

    first_tick: of the first sample; a new sample reaches the layer in every tick from then on.
    arriving: units of each neuron before it, whose spikes have the same weights.
    """

    name: str
    shape: Sizes
    first_tick: NonNegativeInt
    arriving: PositiveInt

    @property
    @abstractmethod
    def wiring(self) -> Geometry:
        """Where the synapse leads that feeds it."""

    @property
    @abstractmethod
    def sends(self) -> int:
        """Units of each of its neurons; 0 in the readout."""

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))


class LadderTablesBase(Record):
    """What the tables of all chips share.

    ticks: from the first sample's spikes on the host to its sums at the readout; every tick takes a new sample.
    """

    ticks: PositiveInt
    host: ComparatorsRecord

    @property
    @abstractmethod
    def layers(self) -> tuple[LadderLayerBase, ...]:
        """The records of all layers on the chip, the readout last."""

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Self:
        if not self.layers or self.ticks != len(self.layers) + 1:
            raise ValueError(f"{self.ticks} ticks do not go with {len(self.layers)} layers on the chip")
        name, shape, units = self.host.name, self.host.shape, self.host.units
        for tick, layer in enumerate(self.layers, start=1):
            if layer.first_tick != tick:
                raise ValueError(f"{layer.name} must run from tick {tick} on")
            if layer.wiring.source != shape or layer.arriving != units:
                found = f"{layer.arriving} units of {layer.wiring.source}"
                raise ValueError(f"{layer.name} reads {found}, {name} before it has {units} of {shape}")
            if np.prod(layer.wiring.makes) != layer.size:
                raise ValueError(f"{layer.name}: {layer.wiring.makes} sums for {layer.shape} neurons")
            name, shape, units = layer.name, layer.shape, layer.sends
        return self
