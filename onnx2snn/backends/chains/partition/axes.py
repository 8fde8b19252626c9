"""One axis of a synapse: which sources a stretch of targets sees, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

from onnx2snn.ir import Array

Reach = tuple[tuple[int, int], ...]  #: (targets that a source has, number of such sources), ascending, no zeros


class Axis(Protocol):
    """Sources and targets along one axis; a synapse is the product of its axes."""

    @property
    def targets(self) -> int:
        """Number of targets."""
        ...

    def reach(self, start: int, stop: int) -> Reach:
        """What the targets start ... stop - 1 see."""
        ...

    def fan_out(self, size: int) -> Array:
        """In how many stretches of `size` targets each source has a target, int64 (sources,)."""
        ...


@dataclass(frozen=True)
class Channels:
    """Every target sees every source of its group."""

    sources: int
    targets: int
    groups: int = 1

    def reach(self, start: int, stop: int) -> Reach:
        each, inside = self.targets // self.groups, self.sources // self.groups
        groups = range(start // each, -(-stop // each))
        return _counted([min(stop, (g + 1) * each) - max(start, g * each) for g in groups], inside)

    def fan_out(self, size: int) -> Array:
        each, inside = self.targets // self.groups, self.sources // self.groups
        starts = np.arange(self.groups) * each
        return np.repeat((starts + each - 1) // size - starts // size + 1, inside)


@dataclass(frozen=True)
class Window:
    """Target o sees the sources o stride + tap dilation - pad, as far as they exist."""

    sources: int
    targets: int
    taps: int
    stride: int
    pad: int
    dilation: int

    @cached_property
    def _seen(self) -> Array:
        """Sources of each target, int64 (targets, taps); -1 where there is padding."""
        found = np.arange(self.targets)[:, None] * self.stride + np.arange(self.taps) * self.dilation - self.pad
        return np.where((found >= 0) & (found < self.sources), found, -1)

    def reach(self, start: int, stop: int) -> Reach:
        return _window_reach(self, start, stop)

    def fan_out(self, size: int) -> Array:
        found = np.zeros(self.sources, np.int64)
        for start in range(0, self.targets, size):
            found += self.counts(start, start + size) > 0
        return found

    def counts(self, start: int, stop: int) -> Array:
        """How many of these targets each source has, int64 (sources,)."""
        seen = self._seen[start:stop].reshape(-1)
        return np.bincount(seen[seen >= 0], minlength=self.sources)


@lru_cache(maxsize=1 << 16)
def _window_reach(window: Window, start: int, stop: int) -> Reach:
    counts = window.counts(start, stop)
    return _counted(counts[counts > 0].tolist(), 1)


def _counted(targets: Sequence[int], times: int) -> Reach:
    found: dict[int, int] = {}
    for number in targets:
        found[number] = found.get(number, 0) + times
    return tuple(sorted(found.items()))
