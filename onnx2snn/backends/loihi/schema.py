"""The schema of the chip's tables.

`tables.safetensors` holds for a layer NAME, in chip units (one unit is one step of weight, of bias mantissa at
exponent 6 and of threshold mantissa; the membrane register holds 2^6 of them), neurons in row-major order:
    NAME/weight      int16 (out, in / groups, *kernel)  even mantissas, times 2^weight_exponent; correlation order
    NAME/reset       int16 (reset weights, neurons)  mantissas that a spike takes off in the next tick; none where a
                     spike sets the membrane to 0
    NAME/bias        int16 (neurons,)  mantissa at every tick; the first layer's is written by the host per sample
    NAME/membrane    int32 (neurons,)  initial membrane, higher by what the neuron's reset is below threshold + 1; the
                     host adds the rest of its charge in the first layer
Where synaptic currents have a memory (decay_u < 4096), each starts at minus the neuron's bias, times 2^bias_exponent:
so what comes at every tick reaches the membrane as a current that rises towards the bias.
The readout has, beside its weight, float64 `NAME/value` (of one unit of its membrane) and `NAME/offset`, (outputs,):
the network's output is value * membrane + offset. Arrays of the host part: see `onnx2snn.backends.chains.HostRecord`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from onnx2snn.backends.chains import Geometry, HostRecord, LayerBase, Record, Sizes, TablesBase
from onnx2snn.backends.loihi.chip import DECAY_UNIT, GAIN_BITS, MOST_EXPONENT, MOST_THRESHOLD, Chip
from onnx2snn.ir import Shape

Scale = Literal[1, 2]
SOMA_BIAS = 1 - (1 << GAIN_BITS)  #: so that v >= 2^6 theta where v may lie between whole chip units
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
    synapse: SynapseRecord | None

    @property
    def wiring(self) -> Geometry | None:
        return None if self.synapse is None else self.synapse.geometry


class PopulationRecord(LayerRecord):
    """Integrate-and-fire neurons, which leak where their decays say so.

    decay_u, decay_v: what synaptic current and membrane lose in a tick, of 4096: effective decays.

    reset: `zero`: one compartment each, the chip's own. Soft ones are on Loihi 1 of two compartments each: a dendrite
    that integrates and never resets, a soma that spikes, and inhibitory synapses from the soma back to its dendrite,
    behind its leak; on Loihi 2 of one compartment with custom microcode that takes off at the spike itself.
    soma_bias: what the soma adds to its dendrite's membrane, in units of the register: 0 where that is a whole number
    of chip units, which the comparison v > threshold takes as it is, else 1 - 2^6, for v >= threshold + 1.

    synapse: None where the host writes bias and membrane.  threshold: mantissa for all neurons, one below the largest
    reset, because the chip spikes on v > threshold.  reset_exponents: of the reset weights of a neuron, which add up
    to what its spike takes off.
    """

    decay_u: Annotated[int, Field(ge=1, le=DECAY_UNIT)] = 4096
    decay_v: Annotated[int, Field(ge=0, le=DECAY_UNIT)] = 0
    reset: Literal["two-compartment", "microcode", "zero"]
    bias_exponent: Literal[6] = 6
    threshold: Annotated[int, Field(ge=0, le=MOST_THRESHOLD)]
    reset_exponents: Annotated[tuple[Exponent, ...], Field(max_length=2)]
    soma_bias: Literal[0, -63] = 0

    @property
    def leaks(self) -> bool:
        """Whether anything is lost from a register between spikes."""
        return (self.decay_u, self.decay_v) != (4096, 0)


class ReadoutRecord(LayerRecord):
    """Accumulating compartments with the largest threshold, which they never reach."""

    decay_u: Literal[4096] = 4096
    decay_v: Literal[0] = 0
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
        for layer in self.populations:
            soft, each = ("two-compartment", 2) if self.chip == "loihi1" else ("microcode", 1)
            reset, each = ("zero", 1) if layer.reset == "zero" else (soft, each)
            if (layer.reset, layer.compartments) != (reset, each * layer.size):
                raise ValueError(f"{layer.name}: reset {reset} with {each * layer.size} compartments on {self.chip}")
            if bool(layer.reset_exponents) != (reset != "zero"):
                raise ValueError(f"{layer.name}: reset {reset} with {len(layer.reset_exponents)} reset weights")
            if bool(layer.soma_bias) != (reset != "zero" and layer.leaks):
                raise ValueError(f"{layer.name}: a soma's bias where a membrane leaks that a reset takes off expected")
        return self
