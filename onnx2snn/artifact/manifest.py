"""`manifest.json`: what an artifact is, in a schema with a version."""

from __future__ import annotations

import hashlib
from math import prod
from typing import Literal

from pydantic import BaseModel, ConfigDict

from onnx2snn.artifact.fine_tuning import FineTuning
from onnx2snn.artifact.network import Schedule

SCHEMA_VERSION = 1


class Record(BaseModel):
    """A record that nothing changes once it is made, and that has no fields but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRecord(Record):
    """The model file that was converted: ONNX, or NIR."""

    file: str
    sha256: str


class LayerRecord(Record):
    """One op of the spiking graph and how far it is proven to equal the quantised network's.

    counts: least and greatest count of the staircase that a population stands for.
    shift, threshold_bits: fractional bits of its thresholds, and bits of the largest.
    """

    name: str
    op: str
    onnx_node: str
    shape: tuple[int, ...]
    exactness: Literal["exact", "bounded", "analog"]
    breakpoints: int
    proven: int
    bound: int
    accumulator_bits: int
    reason: str
    counts: tuple[int, int] | None = None
    shift: int = 0
    threshold_bits: int = 0


class Manifest(Record):
    """Everything that is needed to understand and run an artifact, but for its arrays."""

    schema_version: Literal[1] = SCHEMA_VERSION
    made_by: str
    backend: str
    fidelity: Literal["faithful", "approximate"]
    model: ModelRecord
    code: str
    arithmetic: Literal["integer", "float"]
    steps: int
    settle: int | Literal["auto"]
    settle_bound: int
    calibrate_steps: int = 0
    pipeline_steps: int = 0  #: ticks beyond these on a chip, for the way from layer to layer
    encoder: Literal["quantised", "analog"]
    reset: Literal["subtract", "zero"] = "subtract"
    inputs: dict[str, tuple[int, ...]]  #: shape of one sample of each, by the model's own name
    outputs: dict[str, tuple[int, ...]]
    reading: str = ""  #: how the model file was read where it leaves a choice: of NIR the step and the reset
    staircase_passes: str
    neuron_passes: str
    layers: tuple[LayerRecord, ...]
    approximations: tuple[str, ...]
    fine_tuning: FineTuning | None = None
    notes: tuple[str, ...]
    command: str
    files: dict[str, str]  #: name of each other file of the artifact and its sha256
    digest: str = ""  #: sha256 of the manifest itself, this field left empty

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample: of its input, or of all its inputs flattened side by side."""
        shapes = list(self.inputs.values())
        return shapes[0] if len(shapes) == 1 else (sum(prod(shape) for shape in shapes),)

    @property
    def schedule(self) -> Schedule:
        """How the artifact is run."""
        return Schedule(self.steps, None if self.settle == "auto" else self.settle, self.calibrate_steps)

    def sealed(self) -> Manifest:
        """The manifest with its own digest, every field written out."""
        whole = Manifest.model_validate_json(self.model_dump_json())
        return whole.model_copy(update={"digest": whole._digest()})

    def intact(self) -> bool:
        """Whether the digest is the manifest's own."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        """Of the fields that the file has: a version that knows more of them finds earlier artifacts intact."""
        text = self.model_copy(update={"digest": ""}).model_dump_json(exclude_unset=True)
        return hashlib.sha256(text.encode()).hexdigest()
