"""What arrives at a population in a block of ticks: a signal, and constant charge in parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array


@dataclass(frozen=True)
class Drive:
    """gain * values + parts, tick by tick, in numbers of `kind`; called with a tick: what arrives, or None for nothing.

    values: a signal (ticks, batch, *features) from tick `first` on, or None.  parts: constant charge at tick 0 and at
    the others before tick `ends`, (batch, *features) or what broadcasts to it.
    """

    kind: np.dtype[np.generic]
    first: int
    values: Array | None = None
    gain: int = 1
    parts: tuple[Array, ...] = ()
    ends: int = 0

    @property
    def stop(self) -> int:
        """The tick from which on nothing arrives."""
        return max(self.ends if self.parts else 0, self.first + (0 if self.values is None else len(self.values)))

    def __call__(self, tick: int) -> Array | None:
        current = None
        if self.values is not None and tick - self.first < len(self.values):
            current = self.values[tick - self.first].astype(self.kind)
            if self.gain != 1:
                current *= self.gain
        part = self.constant(tick)
        if part is None:
            return current
        return part if current is None else current + part

    def constant(self, tick: int) -> Array | None:
        """The constant charge of a tick, None where there is none."""
        return self.parts[min(tick, len(self.parts) - 1)] if tick < self.ends and self.parts else None
