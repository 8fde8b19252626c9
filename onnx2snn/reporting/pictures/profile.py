"""A value for each population: bars with names where there is room for them, else a column for each over the depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from onnx2snn.reporting.pictures.canvas import FIRST, MUTED, SECOND, figure, labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NAMED = 24
Names = Sequence[tuple[int, str]]  #: number and name of each population
LOOKS = ((FIRST, "", "-"), (SECOND, "////", "--"))  #: colour, hatching of bars and dashes of lines, one for each series
Series = Mapping[str, Sequence[float]]  #: by the words of the legend: one value for each population


def profile(names: Names, series: Series, unit: str, words: Callable[[float], str]) -> Figure:
    """One series, or two side by side; `words` writes a value at the end of its bar."""
    if len(names) <= MOST_NAMED:
        return _bars(names, series, unit, words)
    return _columns([number for number, _ in names], series, unit, words)


def _bars(names: Names, series: Series, unit: str, words: Callable[[float], str]) -> Figure:
    each = 0.30 if len(series) == 1 else 0.46
    drawn, (axes,) = figure(0.85 + each * len(names) + (0.25 if len(series) > 1 else 0))
    thick = 0.7 / len(series)
    looks = zip(series.items(), LOOKS, strict=False)
    for place, ((label, values), (colour, hatch, _)) in enumerate(looks):
        middles = [i + (place - (len(series) - 1) / 2) * thick for i in range(len(names))]
        bars = axes.barh(middles, values, thick * 0.92, label=label, color=colour if not hatch else "none")
        for bar in bars:
            bar.set(edgecolor=colour, hatch=hatch, linewidth=0.8 if hatch else 0)
        axes.bar_label(bars, [words(value) for value in values], padding=3, fontsize=10)
    texts = zip(labels([name for _, name in names]), names, strict=True)
    axes.set_yticks(range(len(names)), [f"{text}  {number}" for text, (number, _) in texts])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.16)
    axes.set_xlim(left=0)
    if not any(any(values) for values in series.values()):
        axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: words(value))
    axes.set_xlabel(unit)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    if len(series) > 1:
        drawn.legend(loc="outside upper left", ncols=2)
    return drawn


def _columns(places: Sequence[int], series: Series, unit: str, words: Callable[[float], str]) -> Figure:
    drawn, (axes,) = figure(2.6)
    for (label, values), (colour, _, dashes) in zip(series.items(), LOOKS, strict=False):
        axes.step(places, values, where="mid", color=colour, linestyle=dashes, linewidth=1.4, label=label)
    axes.set_xlim(places[0] - 0.5, places[-1] + 0.5)
    axes.set_ylim(bottom=0)
    if not any(any(values) for values in series.values()):
        axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: words(value))
    axes.set_xlabel("population, from input to output", color=MUTED)
    axes.set_ylabel(unit)
    axes.grid(axis="y")
    if len(series) > 1:
        drawn.legend(loc="outside upper left", ncols=2)
    return drawn
