"""The schema of the chip's tables for code `ladder`.

`tables.safetensors` holds for a layer NAME, in chip units (see `onnx2snn.backends.loihi.schema`), neurons in row-major
order:
    NAME/weight      int16 (out, in / groups, *kernel)  even mantissas, times 2^weight_exponent; correlation order.
                     Every unit of a source neuron has these weights to every unit of a target neuron
    NAME/bias        int16 (units, neurons)  mantissa at every tick, times 2^bias_exponent in the membrane register
The readout has, beside its weight, float64 `NAME/value` (of one unit of its sums), int64 `NAME/constant` and float64
`NAME/offset`, (outputs,): the network's output is value * (sum + constant) + offset. For the host part see
`onnx2snn.backends.chains.ladder.ComparatorsRecord`: its units are the input, an axon each.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from onnx2snn.backends.chains import Geometry, LadderLayerBase, LadderTablesBase
from onnx2snn.backends.loihi.chip import MOST_THRESHOLD, Chip
from onnx2snn.backends.loihi.schema import Scale, SynapseRecord


class LadderLayerRecord(LadderLayerBase):
    """One layer of compartments, which keep nothing from tick to tick.

    scale: one chip unit is 1 / scale of the network's accumulator.  decay_v: 4095 or, where the chip has the bit for
    it, 4096; the tables hold for both.  floor_bits: membranes stop at -(2^floor_bits - 1).
    """

    compartments: PositiveInt
    scale: Scale
    decay_u: Literal[4096] = 4096
    decay_v: Literal[4095] = 4095
    floor_bits: Literal[18] = 18
    synapse: SynapseRecord

    @property
    def wiring(self) -> Geometry:
        return self.synapse.geometry


class UnitsRecord(LadderLayerRecord):
    """Neurons of `units` units each; their counts are lo + units that spike.

    form: on Loihi 1 each unit is a compartment with hard reset that sends a spike; on Loihi 2 a neuron's microcode
    makes the same comparisons and sends the number that passed in one graded spike.
    threshold: mantissa for all units; the chip spikes on v > threshold.
    """

    form: Literal["compartments", "graded"]
    units: PositiveInt
    lo: int
    threshold: Annotated[int, Field(ge=0, le=MOST_THRESHOLD)]
    bias_exponent: Literal[6, 7]

    @property
    def sends(self) -> int:
        return self.units


class SumsRecord(LadderLayerRecord):
    """Compartments with the largest threshold, which they never reach; the host reads their currents at every tick.

    parts: compartments of an output, each of which has the synapses of a run of the sources: source i of n, in
    row-major order, belongs to part i parts / n, rounded down. The host adds them up.
    """

    parts: PositiveInt
    threshold: Literal[131071] = 131071

    @property
    def sends(self) -> int:
        return 0


class LoihiLadderTables(LadderTablesBase):
    """`tables.json`."""

    format: Literal["onnx2snn loihi ladder tables"] = "onnx2snn loihi ladder tables"
    version: Literal[1] = 1
    chip: Chip
    populations: tuple[UnitsRecord, ...]
    readout: SumsRecord

    @property
    def layers(self) -> tuple[LadderLayerRecord, ...]:
        return (*self.populations, self.readout)

    @model_validator(mode="after")
    def _forms_are_the_chips(self) -> Self:
        form = form_of(self.chip)
        for layer in self.populations:
            compartments = layer.size * (layer.units if form == "compartments" else 1)
            if (layer.form, layer.compartments) != (form, compartments):
                raise ValueError(f"{layer.name}: {form} in {compartments} compartments expected on {self.chip}")
        if self.readout.compartments != self.readout.size * self.readout.parts:
            raise ValueError(f"{self.readout.name}: {self.readout.parts} compartments for each output expected")
        return self


def form_of(version: Chip) -> Literal["compartments", "graded"]:
    """How units lie on a chip."""
    return "compartments" if version == "loihi1" else "graded"
