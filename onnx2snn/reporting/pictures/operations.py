"""Synaptic operations of each population, beside the multiplications of an ANN with the same layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx2snn.reporting.pictures.profile import profile
from onnx2snn.reporting.words import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnx2snn.reporting.facts import Report

TITLE = "Synaptic operations and the ANN’s multiplications"


def draw(report: Report) -> Figure | None:
    """Of what each population sends, for one sample."""
    layers = [layer for layer in report.layers if layer.operations is not None]
    if not layers:
        return None
    series = {
        "synaptic operations": [layer.operations or 0.0 for layer in layers],
        "MACs of the ANN": [layer.macs or 0.0 for layer in layers],
    }
    return profile([(layer.number, layer.name) for layer in layers], series, "for each sample", short)


def words(report: Report) -> str:
    """The picture for someone who does not see it."""
    layers = [layer for layer in report.layers if layer.operations is not None]
    operations, macs = (sum(values) for values in zip(*((x.operations or 0, x.macs or 0) for x in layers), strict=True))
    most = max(layers, key=lambda layer: layer.operations or 0)
    return (
        f"For each sample {short(operations)} synaptic operations of {len(layers)} populations, {short(macs)} MACs of "
        f"an ANN with the same layers; most operations behind {most.name}: {short(most.operations or 0)}."
    )
