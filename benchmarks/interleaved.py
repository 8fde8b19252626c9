"""Timing as ratios: every command or function in turn, round after round, medians of the rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def ratios(
    runs: Mapping[str, Callable[[], object]],
    base: str,
    rounds: int = 7,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, float]]:
    """Median seconds of each run, and the median of its ratios to `base` in the same round; one round warms up.

    clock: what is measured; `time.process_time` is the processor's time, which other work on the machine leaves alone.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(rounds + 1):
        for name, run in runs.items():
            start = clock()
            run()
            if index:
                seconds[name].append(clock() - start)
    return {
        name: {
            "median_seconds": round(statistics.median(times), 5),
            "ratio": round(statistics.median(t / b for t, b in zip(times, seconds[base], strict=True)), 2),
        }
        for name, times in seconds.items()
    }
