"""How often the neurons of each population fire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx2snn.reporting.pictures.profile import profile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnx2snn.reporting.facts import Report

TITLE = "Firing rates"


def draw(report: Report) -> Figure | None:
    """Spikes for each neuron and step."""
    layers = [layer for layer in report.layers if layer.rate is not None and layer.role != "pool"]
    if not layers:
        return None
    rates = {"rate": [layer.rate or 0.0 for layer in layers]}
    names = [(layer.number, layer.name) for layer in layers]
    return profile(names, rates, "spikes per neuron and step", lambda value: f"{value:.3g}")


def words(report: Report) -> str:
    """The picture for someone who does not see it."""
    rates = {layer.name: layer.rate or 0.0 for layer in report.layers if layer.role != "pool"}
    most, least = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
    return (
        f"Spikes per neuron and step of {len(rates)} populations: from {rates[least]:.3g} ({least}) "
        f"to {rates[most]:.3g} ({most})."
    )
