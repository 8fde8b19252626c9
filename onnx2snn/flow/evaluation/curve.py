"""Figures over time and over exit thresholds, from the counters of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onnx2snn.ir import Array
from onnx2snn.metrics import Counters, Exits
from onnx2snn.metrics.activity import per_tick


@dataclass(frozen=True)
class Moment:
    """The network after `step` ticks of the run: what it answers, and what it took so far, a sample.

    accuracy: None without labels.  agreement: share of samples with the answer that they end with.
    Both None where the output is not one of several classes.
    """

    step: int
    accuracy: float | None
    agreement: float | None
    spikes: float
    operations: float


@dataclass(frozen=True)
class Exit:
    """What came of stopping each sample where its score reached the threshold; the others ran to the end.

    left: share of samples that stopped early.  steps: mean latency, the run before the run included.
    """

    threshold: float
    left: float
    steps: float
    accuracy: float | None
    agreement: float


def curve(counted: Counters, samples: int, steps: int, names: list[str]) -> tuple[Moment, ...]:
    """The network after each of `steps` ticks; names: populations and max pools."""
    agreeing, correct = _share(counted, "agreeing", samples, steps), _share(counted, "correct", samples, steps)
    spikes, operations = (
        np.cumsum(per_tick(counted, kind, steps, names)) / samples for kind in ("spikes", "operations")
    )
    return tuple(
        Moment(t + 1, at(correct, t), at(agreeing, t), float(spikes[t]), float(operations[t])) for t in range(steps)
    )


def at(shares: Array | None, tick: int) -> float | None:
    """One of the shares, where there are any."""
    return None if shares is None else float(shares[tick])


def _share(counted: Counters, name: str, samples: int, steps: int) -> Array | None:
    """The counter of increments, added up over the ticks."""
    if name not in counted:
        return None
    increments = np.zeros(steps, np.int64)
    found = counted[name][:steps]
    increments[: len(found)] = found
    return np.cumsum(increments) / samples


def exits(counted: Counters, samples: int, steps: int, before: int, rule: Exits) -> tuple[Exit, ...]:
    """What each threshold would do; steps: the whole latency, `before` of it before the run."""
    if "exit-never" not in counted:
        return ()
    never = counted["exit-never"]
    mean = (counted["exit-steps"] + before * (samples - never) + steps * never) / samples
    agreement = counted["exit-agreeing"] / samples
    accuracy = counted["exit-correct"] / samples if "exit-correct" in counted else None
    return tuple(
        Exit(threshold, float(1 - never[i] / samples), float(mean[i]), at(accuracy, i), float(agreement[i]))
        for i, threshold in enumerate(rule.thresholds)
    )


def earliest(exits: Sequence[Exit], accuracy: float | None) -> Exit | None:
    """The exit with the fewest steps that loses at most 0.1 % of samples; None where no threshold saves a step."""
    least = (1.0 if accuracy is None else accuracy) - 0.001
    good = [e for e in exits if e.left and (e.agreement if accuracy is None else (e.accuracy or 0.0)) >= least]
    return min(good, key=lambda e: e.steps, default=None)
