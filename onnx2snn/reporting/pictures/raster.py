"""The spikes of one sample: a row for each neuron, a mark for each spike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx2snn.reporting.pictures.canvas import FIRST, GRID, SECOND, SOFT, figure, shortened, ticks
from onnx2snn.reporting.words import grouped
from onnx2snn.words import amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onnx2snn.reporting.facts import Raster, Report

TITLE = "Spike raster of one sample"
GAP = float("nan")


def draw(report: Report) -> Figure | None:
    """A panel for each population; spikes upwards are bars, spikes downwards are crosses.

    Where several are sent at once, lines as long as they are many: solid upwards, dotted downwards.
    """
    sample = report.sample
    if sample is None or not sample.rasters:
        return None
    rows = [max(4, len(raster.shown)) for raster in sample.rasters]
    drawn, panels = figure(0.75 + sum(0.36 + 0.075 * n for n in rows), len(rows), sharex=True, height_ratios=rows)
    for axes, raster in zip(panels, sample.rasters, strict=True):
        _panel(axes, raster, 0.006 * sample.steps)
        if sample.steps > sample.inject_steps:
            axes.axvspan(sample.inject_steps + 0.5, sample.steps + 0.5, color=SOFT, linewidth=0, zorder=0)
    panels[0].set_xlim(0.5, sample.steps + 0.5)
    panels[-1].set_xlabel("timestep" + (" (shaded: settling)" if sample.steps > sample.inject_steps else ""))
    ticks(panels[-1])
    return drawn


def _panel(axes: Axes, raster: Raster, wide: float) -> None:
    """wide: half the width of a cross, in timesteps."""
    most = max((abs(spikes) for _, _, spikes in raster.events), default=1)
    up: tuple[list[float], list[float]] = ([], [])
    down: tuple[list[float], list[float]] = ([], [])
    for tick, row, spikes in raster.events:
        at = tick + 1
        if most > 1:
            xs, ys = up if spikes > 0 else down
            xs.extend((at - 0.4, at - 0.4 + 0.8 * abs(spikes) / most, GAP))
            ys.extend((row, row, GAP))
        elif spikes > 0:
            up[0].extend((at, at, GAP))
            up[1].extend((row - 0.4, row + 0.4, GAP))
        else:
            down[0].extend((at - wide, at + wide, GAP, at - wide, at + wide, GAP))
            down[1].extend((row - 0.4, row + 0.4, GAP, row + 0.4, row - 0.4, GAP))
    axes.plot(*up, color=FIRST, linewidth=1.6, solid_capstyle="butt")
    axes.plot(*down, color=SECOND, linewidth=1.3, solid_capstyle="butt", linestyle=":" if most > 1 else "-")
    axes.set_ylim(max(4, len(raster.shown)) - 0.3, -0.7)
    axes.set_yticks([])
    axes.spines["left"].set_color(GRID)
    axes.set_title(f"{raster.layer}  {shortened(raster.name, 30)}: {shown(raster)}", fontsize=10)


def shown(raster: Raster) -> str:
    """How many of the neurons are there."""
    if len(raster.shown) == raster.neurons:
        return f"all {raster.neurons}"
    return f"{len(raster.shown)} of {grouped(raster.neurons)}"


def words(report: Report) -> str:
    """The picture for someone who does not see it."""
    sample = report.sample
    assert sample is not None
    spikes = "; ".join(
        f"{raster.name}, {shown(raster)} neurons: {sum(s > 0 for _, _, s in raster.events)} spikes upwards, "
        f"{sum(s < 0 for _, _, s in raster.events)} downwards"
        for raster in sample.rasters
    )
    return f"Spikes of sample {sample.index} over {amount(sample.steps, 'timestep')}. {spikes}."
