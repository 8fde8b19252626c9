"""How a model is to be calibrated: what the user says of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from onnx2snn.analysis.calibration import METHODS, Method
from onnx2snn.analysis.weight_rounding import Scales, Search
from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.ir import Graph
from onnx2snn.passes import CALIBRATION, FindWeightGrids, FoldBatchnorm, QuantiseWeights, Recipe, approximate
from onnx2snn.passes.text import parse_recipe
from onnx2snn.words import option

LEVELS = 15
CORRECTIONS = ("theta", "bias", "v0")  #: in the order in which they are worked out


@dataclass(frozen=True)
class Calibration:
    """How a real-valued model is quantised.

    method: `max`, `percentile` or `mse` (see `onnx2snn.analysis.calibration`).  percentile: in percent.
    levels: steps of each activation.  per_channel: a range for each channel instead of one for the tensor.
    correct: of `theta`, `bias` and `v0`; see `Tuner`.
    input_levels: quantise the input as well, in that many steps over all of its range; 0: leave it real-valued.
    weight_bits: round weights that are real, or whole numbers of more bits, to that many; 0: leave them.
    weight_scales: one scale for each `channel` or one for the `layer`.  weight_search: `max` or `mse`; see
    `onnx2snn.analysis.weight_rounding`. None of these three needs samples.
    """

    method: Method = "max"
    percentile: float = 99.9
    levels: int = LEVELS
    per_channel: bool = False
    correct: tuple[str, ...] = ()
    input_levels: int = 0
    weight_bits: int = 0
    weight_scales: Scales = "channel"
    weight_search: Search = "max"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UnknownNameError(f"no calibration method {self.method!r}; known: {', '.join(METHODS)}")
        unknown = [name for name in self.correct if name not in CORRECTIONS]
        if unknown:
            raise UnknownNameError(f"no correction {unknown[0]!r}; known: {', '.join(CORRECTIONS)}")
        if not 50 < self.percentile <= 100:
            raise UsageError(f"`percentile`: a number above 50, at most 100 expected, found {self.percentile}")
        whole = {"levels": (1, 65535), "input_levels": (0, 65535), "weight_bits": (0, 16)}
        for name, (low, high) in whole.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise UsageError(f"`{name}`: a whole number from {low} to {high} expected, found {value!r}")
        if self.weight_bits == 1:
            raise UsageError("`weight_bits`: 0 or 2 to 16 expected, found 1")
        rounding = QuantiseWeights(self.weight_bits or 8, self.weight_scales, self.weight_search)
        if not self.weight_bits and rounding != QuantiseWeights():
            raise UsageError("`weight_scales` and `weight_search` go with `weight_bits`")

    @property
    def needs_samples(self) -> bool:
        """Whether anything but the weights is asked for."""
        return replace(self, weight_bits=0, weight_scales="channel", weight_search="max") != Calibration()

    def of_weights(self, graph: Graph) -> Recipe:
        """The passes that round weights of a graph, where there is one to round: those on a grid of few bits stay.

        A BatchNorm behind real weights is folded before they are rounded, so that one scale a layer stays one.
        """
        if not self.weight_bits:
            return ()
        rounding = QuantiseWeights(self.weight_bits, self.weight_scales, self.weight_search)
        recipe = (FindWeightGrids(), FoldBatchnorm(), rounding)
        _, lost = approximate(graph, recipe)
        return recipe if lost else ()

    def idle(self, corrected: bool) -> list[str]:
        """What of it changed nothing, where no activation is real-valued; corrected: initial membranes were."""
        if not corrected:
            exact = ", and the code needs no correction" if "v0" in self.correct else ""
            return [f"nothing to calibrate: no activation is real-valued{exact}"]
        rest = tuple(name for name in self.correct if name != "v0")
        names = ("method", "percentile", "levels", "per_channel")
        words = Calibration(**{name: getattr(self, name) for name in names}, correct=rest).words()
        return [f"no activation is real-valued, so that {', '.join(words)} changed nothing; v0 did"] if words else []

    def words(self) -> list[str]:
        """What differs from the defaults, as options of the command line."""
        found: list[str] = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                text = ",".join(value) if one.name == "correct" else str(value)
                found.append(option(one.name) if value is True else f"{option(one.name)} {text}")
        return found


def model_as(recipe: str) -> str:
    """What the recipe of a manifest makes of the model before it is mapped, in words."""
    steps = parse_recipe(recipe)
    if any(isinstance(step, CALIBRATION) and not isinstance(step, QuantiseWeights) for step in steps):
        return "model as calibrated"
    bits = [step.bits for step in steps if isinstance(step, QuantiseWeights)]
    return f"quantised network with weights rounded to {bits[0]} bits" if bits else "quantised network"


def was_calibrated(recipe: str) -> bool:
    """Whether the recipe of a manifest quantises what the model has otherwise: by calibration, or rounded weights."""
    return any(isinstance(step, CALIBRATION) for step in parse_recipe(recipe))
