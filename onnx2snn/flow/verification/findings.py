"""What a diagnosis finds, layer by layer, and the remedies that it tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from onnx2snn.analysis.causes import CAUSES, NEAR, Cause
from onnx2snn.ir import Array
from onnx2snn.ir.ops import Staircase
from onnx2snn.reference import counts_of

Kind = Literal["settle", "code", "steps"]


@dataclass
class RealError:
    """A population's staircase beside the real values that the model has there, all in steps of the staircase.

    beyond: values past its first or last level by more than half a step.
    alone: sum of squared differences of the values from their own levels.  network: from those of the whole staircase
    network, with what the staircases before it do.
    """

    values: int = 0
    beyond: int = 0
    alone: float = 0.0
    network: float = 0.0

    def add(self, stairs: Staircase, real: Array, counts: Array) -> None:
        """Takes in the real values and the counts of one batch."""
        levels = counts_of(stairs, real * stairs.scale)
        self.values += real.size
        self.beyond += int((np.abs(real - levels) > 0.5 * (1 + NEAR)).sum())
        self.alone += float(((real - levels) ** 2).sum())
        self.network += float(((real - counts) ** 2).sum())

    @property
    def rms(self) -> tuple[float, float]:
        """Root mean squared difference alone, and in the network."""
        alone, network = (float(np.sqrt(total / max(1, self.values))) for total in (self.alone, self.network))
        return alone, network


@dataclass
class LayerDiagnosis:
    """The counts of one population that differ, each under the one cause that changed it most.

    alone: fed the model's own counts, evenly spread (single error).  network: in the running network (cumulative).
    real: what quantisation does, where the model is real-valued.
    advice: what to do, in a sentence; "" where nothing differs.
    """

    name: str
    counts: int = 0
    alone: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    network: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    real: RealError | None = None
    advice: str = ""

    @property
    def own(self) -> int:
        """Counts that differ in the network for reasons of this population that could be mended."""
        return sum(self.network.values()) - self.network["inherited"] - self.network["ties"]


@dataclass(frozen=True)
class Trial:
    """A remedy that was tried on `samples`, as the option of `convert` that makes it.

    before, differing: counts that differ, by population, as it is and with the remedy.  late: those of them that only
    need time.  steps: of the whole run.
    """

    kind: Kind
    remedy: str
    samples: int
    steps: int
    before: dict[str, int]
    differing: dict[str, int]
    late: dict[str, int]


@dataclass(frozen=True)
class Diagnosis:
    """By population in topological order, and the remedies that were tried."""

    layers: tuple[LayerDiagnosis, ...]
    trials: tuple[Trial, ...]
