"""The schema of the chip's tables.

`tables.safetensors` holds for a layer NAME, in chip units (one unit is one step of weight, of bias mantissa at
exponent 6 and of threshold mantissa; the membrane register holds 2^6 of them), neurons in row-major order:
    NAME/weight      int16 (out, in / groups, *kernel)  even mantissas, times 2^weight_exponent; correlation order
    NAME/reset       int16 (reset weights, neurons)  mantissas that a spike takes off in the next tick
    NAME/bias        int16 (neurons,)  mantissa at every tick; the first layer's is written by the host per sample
    NAME/membrane    int32 (neurons,)  initial membrane, higher by what the neuron's reset is below threshold + 1; the
                     host adds the rest of its charge in the first layer
The readout has, beside its weight, float64 `NAME/value` (of one unit of its membrane) and `NAME/offset`, (outputs,):
the network's output is value * membrane + offset. Arrays of the host part: see `onnx2snn.backends.chains.HostRecord`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from onnx2snn.backends.chains import Geometry, HostRecord, LayerBase, Record, Sizes, TablesBase
from onnx2snn.backends.loihi.chip import MOST_EXPONENT, MOST_THRESHOLD, Chip
from onnx2snn.ir import Shape

Scale = Literal[1, 2]
Exponent = Annotated[int, Field(ge=0, le=MOST_EXPONENT)]


class SynapseRecord(Record):
    """A synapse.  Mixed-sign 8-bit mantissas; weight_exponent: of the power of two that multiplies them."""

    name: str
    geometry: Geometry
    kernel: Sizes
    weight_bits: Literal[8] = 8
    sign_mode: Literal["mixed"] = "mixed"
    weight_exponent: Exponent

    @property
    def weight_shape(self) -> Shape:
        """(out, in / groups, *kernel)."""
        return self.geometry.weight_shape(self.kernel)


class LayerRecord(LayerBase):
    """One layer of compartments.

    scale: one chip unit is 1 / (scale 2^shift) of the network's accumulator.
    """

    compartments: PositiveInt
    scale: Scale
    decay_u: Literal[4096] = 4096
    decay_v: Literal[0] = 0
    synapse: SynapseRecord | None

    @property
    def wiring(self) -> Geometry | None:
        return None if self.synapse is None else self.synapse.geometry


class PopulationRecord(LayerRecord):
    """Integrate-and-fire neurons with soft reset.

    reset: on Loihi 1 of two compartments each: a dendrite that integrates and never resets, a soma that spikes, and
    inhibitory synapses from the soma back to its dendrite. On Loihi 2 of one compartment with custom microcode that
    takes the same off at the spike itself.

    synapse: None where the host writes bias and membrane.  threshold: mantissa for all neurons, one below the largest
    reset, because the chip spikes on v > threshold.  reset_exponents: of the reset weights of a neuron, which add up
    to what its spike takes off.
    """

    reset: Literal["two-compartment", "microcode"]
    bias_exponent: Literal[6] = 6
    threshold: Annotated[int, Field(ge=0, le=MOST_THRESHOLD)]
    reset_exponents: Annotated[tuple[Exponent, ...], Field(min_length=1, max_length=2)]


class ReadoutRecord(LayerRecord):
    """Accumulating compartments with the largest threshold, which they never reach."""

    threshold: Literal[131071] = 131071


class LoihiTables(TablesBase):
    """`tables.json`."""

    format: Literal["onnx2snn loihi tables"] = "onnx2snn loihi tables"
    version: Literal[1] = 1
    chip: Chip
    host: HostRecord
    populations: tuple[PopulationRecord, ...]
    readout: ReadoutRecord

    @property
    def layers(self) -> tuple[LayerRecord, ...]:
        return (*self.populations, self.readout)

    @model_validator(mode="after")
    def _resets_are_the_chips(self) -> Self:
        reset, each = ("two-compartment", 2) if self.chip == "loihi1" else ("microcode", 1)
        for layer in self.populations:
            if (layer.reset, layer.compartments) != (reset, each * layer.size):
                raise ValueError(f"{layer.name}: reset {reset} with {each * layer.size} compartments on {self.chip}")
        return self
