"""The schema of the chip's tables. Parameters have the names of the primitives they are for.

`tables.safetensors` holds for a layer NAME, on the layer's grid (one unit is 2^-shift of the network's accumulator):
    NAME/weight   int8  P41: (calls, output groups, nky, nkx, nif, 32), P04: (output groups, nif, 32); in the order of
                  memory, input and output channels filled up with zeros
    NAME/bias     int32 (outputs,)  axon bias at every tick, one a channel
    NAME/vtheta   int32 (neurons,)  what the threshold of each neuron has on top of Vth0
    NAME/v        int32 (neurons,)  initial membrane, 28 bits, one more than the network's because the chip spikes on
                  V > Vth where the network does on v >= theta; the host adds the rest of its charge in the first layer
Neurons stand channels last, as in memory (without the filling). The first layer has no axon: the host writes what its
soma reads at every tick, Uin, int32 (neurons,). The readout has, beside its weight, float64 `NAME/value` and
`NAME/offset` (outputs,), row-major: the network's output is value * V + offset.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from onnx2snn.backends.chains import Geometry, HostRecord, LayerBase, Record, Sizes, TablesBase
from onnx2snn.backends.tianjic import chip
from onnx2snn.ir import Shape
from onnx2snn.ir.ops.spatial import window_output


class _Axon(Record):
    """What P04 and P41 share: int8 inputs and weights, int32 bias vector, saturating int32 sums.

    synapse: its name in the network.  source: shape of the population before it.  repeats: copies of the input that
    lie side by side.  nif, nof: inputs (copies and filling included) and outputs of a call.
    """

    synapse: str
    source: Sizes
    repeats: PositiveInt
    x1_precision: Literal[1] = 1
    x2_precision: Literal[1] = 1
    bias_type: Literal[2] = 2
    nif: PositiveInt
    nof: PositiveInt


class P04(_Axon):
    """Matrix product."""

    primitive: Literal["P04"] = "P04"

    @property
    def geometry(self) -> Geometry:
        """Where it leads."""
        return Geometry(kind="dense", source=self.source, reads=(int(np.prod(self.source)),), makes=(self.nof,))

    @property
    def image_shape(self) -> Shape:
        """(output groups, nif, 32)."""
        return (chip.padded(self.nof, chip.OUTPUT_GROUP) // chip.OUTPUT_GROUP, self.nif, chip.OUTPUT_GROUP)

    @model_validator(mode="after")
    def _filled_up(self) -> Self:
        each = self.repeats * chip.padded(self.source[0], chip.INPUT_GROUP)
        if self.nif != each * int(np.prod(self.source[1:])):
            raise ValueError(f"nif {self.nif} does not go with {self.repeats} copies of {self.source}")
        return self


class P41(_Axon):
    """Convolution, no flip.  calls: one for each group of channels.  channels: inputs of a call before any filling."""

    primitive: Literal["P41"] = "P41"
    calls: PositiveInt
    channels: PositiveInt
    niy: PositiveInt
    nix: PositiveInt
    nky: PositiveInt
    nkx: PositiveInt
    stride_y: PositiveInt
    stride_x: PositiveInt
    pad_top: NonNegativeInt
    pad_down: NonNegativeInt
    pad_left: NonNegativeInt
    pad_right: NonNegativeInt
    dilate_y: PositiveInt
    dilate_x: PositiveInt

    @property
    def geometry(self) -> Geometry:
        """Where it leads."""
        strides, dilations = (self.stride_y, self.stride_x), (self.dilate_y, self.dilate_x)
        pads = (self.pad_top, self.pad_left, self.pad_down, self.pad_right)
        size = window_output((self.niy, self.nix), (self.nky, self.nkx), strides, pads, dilations)
        return Geometry(
            kind="conv",
            source=self.source,
            reads=(self.calls * self.channels, self.niy, self.nix),
            makes=(self.calls * self.nof, *size),
            strides=strides,
            pads=pads,
            dilations=dilations,
            groups=self.calls,
        )

    @property
    def image_shape(self) -> Shape:
        """(calls, output groups, nky, nkx, nif, 32)."""
        groups = chip.padded(self.nof, chip.OUTPUT_GROUP) // chip.OUTPUT_GROUP
        return (self.calls, groups, self.nky, self.nkx, self.nif, chip.OUTPUT_GROUP)

    @model_validator(mode="after")
    def _filled_up(self) -> Self:
        if self.nif != self.repeats * chip.padded(self.channels, chip.INPUT_GROUP):
            raise ValueError(f"nif {self.nif} does not go with {self.repeats} copies of {self.channels} channels")
        return self


class P08(Record):
    """LIF+ without leak, adaptation, refractory time or noise.

    vth0: threshold common to all neurons.  reset_mode: 1 takes the threshold off, 3 never resets.  fire_type: 4 sends
    the spike, 0 the membrane.  tw_len: the time window, which must not end while a sample runs.
    """

    primitive: Literal["P08"] = "P08"
    vth0: int
    vth_adpt_en: Literal[0] = 0
    vth_beta: Literal[0] = 0
    vth_incre: Literal[0] = 0
    vl: Literal[-134217728] = -134217728
    vleaky_adpt_en: Literal[0] = 0
    vleaky_beta: Literal[0] = 0
    vm: Literal[0] = 0
    ref_len: Literal[0] = 0
    tw_en: Literal[0] = 0
    tw_cnt: Literal[0] = 0
    tw_len: int
    reset_mode: Literal[1, 3]
    fire_type: Literal[0, 4]


class LayerRecord(LayerBase):
    """One layer.

    memory_bytes: weights, biases and state.  axon: None where the host writes what the soma reads.
    """

    memory_bytes: PositiveInt
    axon: Annotated[P04 | P41, Field(discriminator="primitive")] | None
    soma: P08

    @property
    def wiring(self) -> Geometry | None:
        return None if self.axon is None else self.axon.geometry


class TianjicTables(TablesBase):
    """`tables.json`."""

    format: Literal["onnx2snn tianjic tables"] = "onnx2snn tianjic tables"
    version: Literal[1] = 1
    chip: Literal["tianjicx"] = "tianjicx"
    host: HostRecord
    populations: tuple[LayerRecord, ...]
    readout: LayerRecord

    @property
    def layers(self) -> tuple[LayerRecord, ...]:
        return (*self.populations, self.readout)

    @model_validator(mode="after")
    def _somas_fit_their_place(self) -> Self:
        modes = [(layer.soma.reset_mode, layer.soma.fire_type) for layer in self.layers]
        if modes != [(1, 4)] * len(self.populations) + [(3, 0)]:
            raise ValueError(
                "populations reset softly and send spikes, the readout sends its membrane and never resets"
            )
        if self.readout.soma.vth0 != chip.MOST_STATE or any(layer.soma.tw_len <= self.steps for layer in self.layers):
            raise ValueError("neither the readout's threshold nor a time window may be reached")
        return self
