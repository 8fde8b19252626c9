"""What may be asked of a conversion, and the askings that can never work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.flow.conversion.budget import Budget
from onnx2snn.passes import CODES, MapNeurons, check_leak
from onnx2snn.passes.text import parse_recipe

Settle = int | Literal["auto"]
MOST_STEPS = (1 << 16) - 1  #: levels of the widest quantiser that is read


@dataclass(frozen=True)
class Options:
    """How to convert; None leaves the choice to the model and the backend.

    code: name of a code.  steps: inject steps; by default the largest number of levels.
    settle: steps after them; by default "auto" (until silent) for exact codes and 0 for the others.
    calibrate_steps: steps of a run before each that finds the initial membranes of the samples (code `if`); 0: none.
    integer: whole-number arithmetic; by default where all weights are quantised.
    passes: the text of a recipe that replaces the backend's own.
    most_levels: staircases with more levels get this many, which makes 8-bit models fast; 0: leave them.
    drop_requantisation: signed quantisers of branches that only a sum reads are removed; an approximation.
    decay, reset: of code `lif`: what a membrane keeps from step to step (0.9), and what a spike does to it: "subtract"
    the threshold (default) or back to "zero".
    bits: what weights, thresholds and membranes may take.
    """

    code: str | None = None
    steps: int | None = None
    settle: Settle | None = None
    integer: bool | None = None
    passes: str | None = None
    most_levels: int = 0
    calibrate_steps: int = 0
    drop_requantisation: bool = False
    decay: float | None = None
    reset: str | None = None
    bits: Budget | None = None

    def __post_init__(self) -> None:
        if self.code is not None and self.code not in CODES:
            raise UnknownNameError(f"no code {self.code!r}; known: {', '.join(CODES)}")
        if self.steps is not None:
            _check_number("`steps`", self.steps, 1)
        if self.settle is not None and not (isinstance(self.settle, str) and self.settle == "auto"):
            _check_number("`settle`", self.settle, 0, " or 'auto'")
        _check_number("`most_levels`", self.most_levels, 0)
        _check_number("`calibrate_steps`", self.calibrate_steps, 0)
        if self.drop_requantisation and self.passes is not None:
            raise UsageError(
                "`drop_requantisation`: goes with the backend's own recipe; name the pass in `passes` instead"
            )
        if self.passes is not None and not parse_recipe(self.passes):
            raise UsageError("`passes`: one pass or more expected, found none (see onnx2snn passes)")
        for step in parse_recipe(self.passes or ""):
            if isinstance(step, MapNeurons):
                if self.code not in (None, step.code):
                    raise UsageError(f"`code`: map-neurons in `passes` names code {step.code}, found {self.code}")
                _check_number("pass map-neurons: steps", step.steps, 0)
                self._check_schedule(step.code)
        if self.code is not None:
            self._check_schedule(self.code)
        if (self.decay, self.reset) != (None, None) and (self.code != "lif" or self.passes is not None):
            raise UsageError("`decay`, `reset`: go with `code` lif; beside `passes`, map-neurons takes them itself")
        check_leak("lif", *self.leak)

    def _check_schedule(self, code: str) -> None:
        if unfit := self.excludes(code):
            raise UsageError(unfit)

    def excludes(self, code: str) -> str:
        """Why a code cannot be run so, or "": units side by side need one step, and rest after it."""
        if code == "ladder" and self.steps not in (None, 1):
            return f"`steps`: code ladder runs in one step, all units at once; found {self.steps}"
        if code == "ladder" and self.settle not in (None, 0, "auto"):
            return f"`settle`: code ladder is done after its one step; 0 or auto expected, found {self.settle}"
        if code == "ladder" and self.calibrate_steps:
            return "`calibrate_steps`: code if expected, which alone has offsets to calibrate; found ladder"
        return ""

    @property
    def leak(self) -> tuple[float, str]:
        """Decay and reset, the defaults filled in."""
        return (
            MapNeurons.decay if self.decay is None else self.decay,
            MapNeurons.reset if self.reset is None else self.reset,
        )


def _check_number(name: str, value: object, low: int, others: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= MOST_STEPS:
        raise UsageError(f"{name}: a whole number from {low} to {MOST_STEPS}{others} expected, found {value!r}")
