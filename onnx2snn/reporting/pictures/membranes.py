"""Membrane potentials of single neurons during one sample, with their threshold and their spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx2snn.reporting.pictures.canvas import FIRST, INK, MUTED, SECOND, SOFT, figure, shortened, ticks
from onnx2snn.words import amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onnx2snn.reporting.facts import Membrane, Report

TITLE = "Membrane potential of single neurons"


def draw(report: Report) -> Figure | None:
    """A panel for each neuron."""
    sample = report.sample
    if sample is None or not sample.membranes:
        return None
    drawn, panels = figure(0.5 + 1.75 * len(sample.membranes), len(sample.membranes), sharex=True)
    for axes, membrane in zip(panels, sample.membranes, strict=True):
        if sample.steps > sample.inject_steps:
            axes.axvspan(sample.inject_steps, sample.steps, color=SOFT, linewidth=0, zorder=0)
        _panel(axes, membrane)
    panels[0].set_xlim(0, sample.steps + 0.3)
    panels[-1].set_xlabel("timestep" + (" (shaded: settling)" if sample.steps > sample.inject_steps else ""))
    ticks(panels[-1])
    drawn.supylabel("potential / threshold", fontsize=11)
    return drawn


def _panel(axes: Axes, membrane: Membrane) -> None:
    times, values = [0.0], [membrane.start]
    for tick, (peak, after) in enumerate(zip(membrane.peaks, membrane.potentials, strict=True), 1):
        times += [tick, tick]
        values += [peak, after]
    axes.axhline(1, color=INK, linewidth=1, linestyle=(0, (5, 3)))
    if membrane.signed:
        axes.axhline(0, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.plot(times, values, color=FIRST, linewidth=1.4)
    for sign, marker, colour in ((1, "^", FIRST), (-1, "v", SECOND)):
        fired = [i for i, spikes in enumerate(membrane.spikes) if spikes * sign > 0]
        axes.plot([i + 1 for i in fired], [membrane.peaks[i] for i in fired], marker, color=colour, markersize=5)
    low, high = min(*values, 0), max(*values, 1)
    axes.set_ylim(low - 0.12 * (high - low), high + 0.15 * (high - low))
    place = ", ".join(map(str, membrane.place))
    axes.set_title(f"{membrane.layer}  {shortened(membrane.name, 30)}: neuron ({place})", fontsize=10)


def words(report: Report) -> str:
    """The picture for someone who does not see it."""
    sample = report.sample
    assert sample is not None
    neurons = "; ".join(
        f"{membrane.name}, neuron {membrane.neuron}: {sum(map(abs, membrane.spikes))} spikes, potential from "
        f"{min(membrane.potentials):.3g} to {max(membrane.peaks):.3g} thresholds"
        for membrane in sample.membranes
    )
    return f"Membrane potentials over {amount(sample.steps, 'timestep')} of sample {sample.index}. {neurons}."
