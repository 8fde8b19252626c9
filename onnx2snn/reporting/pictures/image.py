"""The sample itself, where it is an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnx2snn.reporting.facts import Report

TITLE = "The sample"


def draw(report: Report) -> Figure | None:
    """The image from its darkest to its brightest value."""
    from matplotlib.figure import Figure

    if report.sample is None or report.sample.picture is None:
        return None
    pixels = np.asarray(report.sample.picture)
    low, high = pixels.min(), pixels.max()
    drawn = Figure(figsize=(1.5, 1.5 * pixels.shape[0] / pixels.shape[1]))
    axes = drawn.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.imshow((pixels - low) / (high - low or 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    return drawn


def words(report: Report) -> str:
    """The picture for someone who does not see it."""
    sample = report.sample
    assert sample is not None
    label = "without a label" if sample.label is None else f"labelled {sample.label}"
    return f"Sample {sample.index} as an image, {label}."
