"""How long a network takes, and what fewer steps than levels cost: in numbers, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

from onnx2snn.artifact import Manifest
from onnx2snn.words import amount

COARSER = ("if", "signed-if", "lif")  #: codes whose spikes stand for several levels where there are fewer steps


@dataclass(frozen=True)
class Latency:
    """Steps of a run, and what they cannot resolve.

    most_steps: of a run at most, calibration, settling and the way from layer to layer on a chip included. A network
    that runs until it is silent stops there at the latest; with an exact code it is proven to be silent by then.
    levels: the highest count of any population.  levels_per_spike: the most that one spike stands for.
    count_error: where that is more than one, the most levels by which a count can then be off; else None.
    words: the same in sentences.
    """

    most_steps: int
    levels: int
    levels_per_spike: float
    count_error: int | None
    words: tuple[str, ...]


def latency_of(manifest: Manifest) -> Latency:
    """The latency of an artifact."""
    settle = manifest.settle_bound if manifest.settle == "auto" else manifest.settle
    most = manifest.calibrate_steps + manifest.steps + settle + manifest.pipeline_steps
    counts = [layer.counts for layer in manifest.layers if layer.counts is not None]
    levels = max((high for _, high in counts), default=1)
    words = [_of_code(manifest)] if manifest.code in ("store-and-forward", "ladder") else []
    if manifest.reading:
        words.append(_of_currents(manifest.steps))
    short, steps = manifest.steps < levels, amount(manifest.steps, "step")
    if not short or manifest.code not in COARSER:
        if short and manifest.code != "ladder":
            words.append(f"{steps} for {levels} levels: counts stay exact, populations finish while they settle")
        return Latency(most, levels, 1.0, None, tuple(words))
    fine = [layer for layer in manifest.layers if layer.counts is not None and layer.counts[1] > manifest.steps]
    worst, worth = max(layer.bound for layer in fine), Fraction(levels, manifest.steps)
    words.append(
        f"{steps} for {levels} levels: 1 spike = {levels}/{manifest.steps} levels (the rule of QCFS); "
        f"counts of {len(fine)} populations are rounded to that, off by up to {float(worth / 2):.3g} levels even where "
        f"charge comes evenly, by up to {worst} at worst"
    )
    return Latency(most, levels, float(worth), worst, tuple(words))


def _of_code(manifest: Manifest) -> str:
    if manifest.code == "ladder":
        units = sum(
            prod(layer.shape) * (layer.counts[1] - layer.counts[0]) for layer in manifest.layers if layer.counts
        )
        return (
            f"one step for the whole network, with {units} binary units in place of neurons; a chip that takes a step "
            "for each layer has a new sample in every step, and the answer to it after as many steps as layers"
        )
    return (
        f"every population waits for all of its charge: {manifest.steps} inject steps, then one window a population "
        f"along the longest path, {manifest.settle_bound} steps in all"
    )


def _of_currents(steps: int) -> str:
    return (
        f"a sample is the current of one step, held for {amount(steps, 'step')}; for a file that `convert --backend "
        "nir` wrote, that is a sample of the model behind it divided by those steps"
    )
