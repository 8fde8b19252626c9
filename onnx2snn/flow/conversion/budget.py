"""What numbers a converted network may hold: bits of weights, thresholds and membranes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from onnx2snn.errors import UsageError
from onnx2snn.passes import MakeInteger, Recipe

MOST_BITS = 62


@dataclass(frozen=True)
class Budget:
    """Bits of signed weights, of thresholds (never negative) and of signed membranes; 0: as many as it takes."""

    weights: int = 0
    threshold: int = 0
    state: int = 0

    @staticmethod
    def parse(text: str) -> Budget:
        """Reads `weights=8,threshold=17,state=24`, any of them; raises `UsageError`."""
        known = [field.name for field in fields(Budget)]
        found: dict[str, int] = {}
        for part in text.split(","):
            name, _, bits = (word.strip() for word in part.partition("="))
            if name not in known or name in found or not bits.isdigit() or not 2 <= int(bits) <= MOST_BITS:
                expected = f"name=bits with a name of {', '.join(known)} and 2 to {MOST_BITS} bits"
                raise UsageError(f"`bits`: {expected} expected, found {part.strip()!r}")
            found[name] = int(bits)
        return Budget(**found)

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe with integers that fit; raises `UsageError` where it makes none that can be told to."""
        if not any(isinstance(step, MakeInteger) for step in recipe):
            raise UsageError("`bits`: whole numbers and a backend without limits of its own expected (numpy, torch)")
        return tuple(self._within(step) if isinstance(step, MakeInteger) else step for step in recipe)

    def _within(self, step: MakeInteger) -> MakeInteger:
        theta = min(step.theta, (1 << self.threshold) - 1) if self.threshold else step.theta
        return replace(step, theta=theta, state=self.state or step.state, weight_bits=self.weights or step.weight_bits)
