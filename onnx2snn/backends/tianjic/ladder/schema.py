"""The schema of the chip's tables for code `ladder`. Parameters have the names of the primitives they are for.

`tables.safetensors` holds for a layer NAME, in whole numbers of the network's accumulator:
    NAME/weight   int8  in the order of memory, see `onnx2snn.backends.tianjic.schema`
    NAME/vtheta   int32 (units, neurons)  what the threshold of each neuron has on top of Vth0 in each call of P08: one
                  less than the unit's breakpoint, because the chip spikes on V > Vth. Neurons stand channels last
Axon biases are 0: what counts below zero come to is in the thresholds. The readout has, beside its weight, float64
`NAME/value`, int64 `NAME/constant` and float64 `NAME/offset` (outputs,), row-major: the network's output is
value * (V + constant) + offset. For the host part see `onnx2snn.backends.chains.ladder.ComparatorsRecord`; the host
sends the number of passing units of each neuron, int8.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from onnx2snn.backends.chains import Geometry, LadderLayerBase, LadderTablesBase, Record
from onnx2snn.backends.tianjic.schema import P04, P41


class ForgetfulP08(Record):
    """LIF+ that keeps nothing: after the hard reset it leaks V to floor(V 0 / 256) + 0, so that V is the sum alone.

    calls: one for each unit of the neurons, all on the same sums.  fire_type: 4 sends the spike, 0 the membrane.
    """

    primitive: Literal["P08"] = "P08"
    calls: PositiveInt
    vth0: Literal[0] = 0
    vth_adpt_en: Literal[0] = 0
    vth_beta: Literal[0] = 0
    vth_incre: Literal[0] = 0
    vl: Literal[-134217728] = -134217728
    vleaky_adpt_en: Literal[1] = 1
    vleaky_alpha: Literal[0] = 0
    vleaky_beta: Literal[0] = 0
    vr: Literal[0] = 0
    vm: Literal[0] = 0
    ref_len: Literal[0] = 0
    tw_en: Literal[0] = 0
    reset_mode: Literal[0] = 0
    fire_type: Literal[0, 4]


class LadderRecord(LadderLayerBase):
    """One layer.

    memory_bytes: weights, biases and thresholds.  lo: counts are lo + calls that spike.  gather: primitives that add
    the spikes of the calls up and cut the sum to int8, which is what the next layer reads; none in the readout.
    """

    memory_bytes: PositiveInt
    lo: int
    axon: Annotated[P04 | P41, Field(discriminator="primitive")]
    soma: ForgetfulP08
    gather: tuple[Literal["P02", "P06"], ...]

    @property
    def wiring(self) -> Geometry:
        return self.axon.geometry

    @property
    def sends(self) -> int:
        return self.soma.calls if self.soma.fire_type == 4 else 0


class TianjicLadderTables(LadderTablesBase):
    """`tables.json`."""

    format: Literal["onnx2snn tianjic ladder tables"] = "onnx2snn tianjic ladder tables"
    version: Literal[1] = 1
    chip: Literal["tianjicx"] = "tianjicx"
    populations: tuple[LadderRecord, ...]
    readout: LadderRecord

    @property
    def layers(self) -> tuple[LadderRecord, ...]:
        return (*self.populations, self.readout)

    @model_validator(mode="after")
    def _somas_fit_their_place(self) -> Self:
        if any(layer.soma.fire_type != 4 for layer in self.populations) or self.readout.sends:
            raise ValueError("populations send spikes, the readout its membrane")
        if (self.readout.soma.calls, self.readout.lo) != (1, 0):
            raise ValueError("the readout has one soma a neuron")
        return self
