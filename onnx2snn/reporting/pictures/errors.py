"""Where the counts differ from the model's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx2snn.reporting.pictures.profile import profile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnx2snn.reporting.facts import Difference, Report

TITLE = "Counts that differ from the model’s"


def draw(report: Report) -> Figure | None:
    """Percentage of counts that differ, in the network and, where that was measured, alone; None where none does."""
    layers = [(layer, layer.difference) for layer in report.layers if layer.difference is not None]
    if not any(found.cumulative or found.alone for _, found in layers):
        return None
    series = {"in the network": [percent(found.cumulative, found) for _, found in layers]}
    if ran_alone(report):
        series["alone, fed the model's counts"] = [percent(found.alone or 0, found) for _, found in layers]
    names = [(layer.number, layer.name) for layer, _ in layers]
    return profile(names, series, "counts that differ, %", lambda value: f"{value:.3g}")


def ran_alone(report: Report) -> bool:
    """Whether populations were run alone as well, fed the model's counts; those of trained spiking networks are not."""
    return any(layer.difference is not None and layer.difference.alone is not None for layer in report.layers)


def percent(number: int, found: Difference) -> float:
    """Of all counts compared."""
    return 100 * number / found.counts if found.counts else 0.0


def words(report: Report) -> str:
    """The picture for someone who does not see it."""
    shares = {
        layer.name: percent(layer.difference.cumulative, layer.difference)
        for layer in report.layers
        if layer.difference is not None
    }
    worst = max(shares, key=shares.__getitem__)
    return f"Counts that differ from the model's, in {len(shares)} populations: most in {worst}, {shares[worst]:.3g} %."
