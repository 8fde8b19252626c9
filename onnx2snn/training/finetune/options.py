"""How to fine-tune, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.training.finetune.score import Score

Criterion = Literal["output", "layer", "accuracy"]


@dataclass(frozen=True)
class Options:
    """How to fine-tune.

    epochs: passes over the samples for each layer.  batch: samples at a time.
    rate: first learning rate of Adam, in parts of a layer's largest weight and of its thresholds; it falls to zero
    on half a cosine over the epochs of a layer.
    validation: share of the samples that decide which changes stay, and that nothing is learned from.
    criterion: what must get better there for a change to stay. `output`: the squared difference from the teacher's
    outputs, while no fewer answers are right; `layer`: that of the layer's own counts; `accuracy`: the right answers,
    and where these are as many as before, the outputs. Right: the label's, else the teacher's.
    keep_all: keep every change.  readout: tune the synapses into readouts as well.
    """

    epochs: int = 5
    batch: int = 64
    rate: float = 0.001
    validation: float = 0.2
    criterion: Criterion = "output"
    keep_all: bool = False
    readout: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 1), ("seed", 0)):
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(f"`{name}`: a whole number of at least {least} expected, found {value!r}")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise UsageError(f"`rate`: a positive number expected, found {self.rate}")
        if not 0 < self.validation < 1:
            raise UsageError(f"`validation`: a share between 0 and 1 expected, found {self.validation}")
        if self.criterion not in get_args(Criterion):
            known = ", ".join(get_args(Criterion))
            raise UnknownNameError(f"no criterion {self.criterion!r}; known: {known}")

    def better(self, after: Score, before: Score) -> bool:
        """Whether a change is one to keep, by the criterion."""
        if self.criterion == "layer":
            return after.layer < before.layer
        if self.criterion == "output":
            return after.output < before.output and after.right >= before.right
        return (after.right, -after.output) > (before.right, -before.output)


@dataclass(frozen=True)
class LayerReport:
    """What came of one population or readout.

    synapses: what was tuned beside the bias.  shared: synapses that stay because they feed others as well.
    before, after: on the validation samples; after is of the best epoch, whether it was kept or not.
    epoch: the one kept, from 1; 0: none.  reason: why nothing was.
    """

    name: str
    synapses: tuple[str, ...]
    shared: tuple[str, ...]
    before: Score
    after: Score
    epoch: int
    reason: str = ""

    @property
    def kept(self) -> bool:
        """Whether the layer is no longer the model's."""
        return self.epoch > 0


@dataclass(frozen=True)
class Report:
    """What fine-tuning did.

    samples, validation: how many were learned from, and how many decided.  before, after: the whole network on the
    latter, which chose what to keep: test on others.  teacher_accuracy: the quantised network's there.
    exact: populations that count what the model counts in any case, and are left as they are.
    """

    layers: tuple[LayerReport, ...]
    exact: tuple[str, ...]
    samples: int
    validation: int
    before: Score
    after: Score
    teacher_accuracy: float | None

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the layers that are no longer the model's."""
        return tuple(layer.name for layer in self.layers if layer.kept)
