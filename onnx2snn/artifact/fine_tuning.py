"""What an artifact says of a network that was trained further after conversion."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FineTuning(BaseModel):
    """What was changed after conversion, and on what.

    parent: digest of the artifact it was made from, whose weights are the model's.  layers: the populations and
    readouts whose incoming weights or biases are no longer the model's.  data, sha256: the file of samples.
    samples, validation: how many of them were learned from, and how many decided which changes stay.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    parent: str
    layers: tuple[str, ...]
    data: str
    sha256: str
    samples: int
    validation: int

    def __str__(self) -> str:
        return (
            f"fine-tuned on {self.samples} samples of {self.data}: weights and biases into {', '.join(self.layers)} "
            "are no longer the model's"
        )
