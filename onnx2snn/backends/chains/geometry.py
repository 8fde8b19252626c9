"""Where a synapse leads."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import NonNegativeInt, PositiveInt, model_validator

from onnx2snn.backends.chains.tables import Record, Sizes
from onnx2snn.ir import Array, Shape
from onnx2snn.ir.op import require
from onnx2snn.ir.ops.spatial import check_window, window_output


class Geometry(Record):
    """Where a synapse leads. Neurons count in row-major order of (channels, *space); shapes leave out the batch.

    source: shape of the population that feeds it.  reads: shape under which the synapse sees those neurons; another
    one where the network reshapes (flattens) in between.  makes: shape of its sums.
    strides, dilations: one a spatial axis; pads: begins, then ends; all empty in a dense synapse.  groups: channels
    are cut into as many parts, each of which sees its own part of the source.
    """

    kind: Literal["conv", "dense"]
    source: Sizes
    reads: Sizes
    makes: Sizes
    strides: Sizes = ()
    pads: tuple[NonNegativeInt, ...] = ()
    dilations: Sizes = ()
    groups: PositiveInt = 1

    @model_validator(mode="after")
    def _sound(self) -> Self:
        rank = len(self.reads) - 1
        lengths = (len(self.strides), len(self.pads), len(self.dilations), len(self.makes))
        if lengths != ((0, 0, 0, 1) if self.kind == "dense" else (rank, 2 * rank, rank, rank + 1)):
            raise ValueError(f"strides, pads, dilations and sums of {lengths} axes do not go with {self.reads}")
        if np.prod(self.source) != np.prod(self.reads) or (self.kind == "dense" and rank):
            raise ValueError(f"{self.source} does not reshape to {self.reads}")
        if self.reads[0] % self.groups or self.makes[0] % self.groups:
            raise ValueError(f"{self.groups} groups do not divide {self.reads[0]} and {self.makes[0]} channels")
        return self

    def weight_shape(self, kernel: Shape) -> Shape:
        """Shape of the weights, (out, in / groups, *kernel); raises `ConstraintError` where the kernel does not fit."""
        if self.kind == "conv":
            check_window(kernel, self.strides, self.pads, self.dilations)
            size = window_output(self.reads[1:], kernel, self.strides, self.pads, self.dilations)
            require(size == self.makes[1:], "W5", f"sums {self.makes[1:]} expected, kernel {kernel} makes {size}")
        return (self.makes[0], self.reads[0] // self.groups, *kernel)

    def sources(self, kernel: Shape) -> Array:
        """Index of each source neuron, int64 (groups, positions, taps); as many as there are means padding.

        Taps run over the channels of the group, then the kernel in row-major order.
        """
        count = int(np.prod(self.reads))
        if self.kind == "dense":
            return np.arange(count).reshape(1, 1, -1)
        rank = len(kernel)
        ends = [(self.pads[i], self.pads[i + rank]) for i in range(rank)]
        places = np.pad(np.arange(count).reshape(self.reads), [(0, 0), *ends], constant_values=count)
        extent = tuple(d * (k - 1) + 1 for d, k in zip(self.dilations, kernel, strict=True))
        seen = sliding_window_view(places, extent, tuple(range(1, 1 + rank)))
        seen = seen[(slice(None), *(slice(None, None, step) for step in self.strides + self.dilations))]
        channels = self.reads[0] // self.groups
        positions = int(np.prod(self.makes[1:]))
        grouped = seen.reshape(self.groups, channels, positions, -1)
        return np.moveaxis(grouped, 1, 2).reshape(self.groups, positions, -1)
