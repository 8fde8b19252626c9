"""What the network answers after each timestep, beside the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx2snn.reporting.pictures.canvas import FIRST, INK, SOFT, figure, ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnx2snn.reporting.facts import Report

TITLE = "Answers at every timestep"


def draw(report: Report) -> Figure | None:
    """Accuracy where there are labels, else agreement with the last step; dashed: the model. None for one step."""
    curve, name = shares(report)
    if len(curve) < 2 or report.simulation is None:
        return None
    drawn, (axes,) = figure(2.9)
    inject, end = report.simulation.inject_steps, len(curve)
    if end > inject:
        axes.axvspan(inject, end, color=SOFT, linewidth=0, zorder=0)
    percentages = [100 * share for share in curve]
    axes.plot(range(1, end + 1), percentages, "o-", color=FIRST, linewidth=1.6, markersize=3.5, label="spiking network")
    model = None if report.parity is None else report.parity.model_accuracy
    if model is not None and name == "accuracy":
        dashed = (0, (5, 3))
        axes.axhline(100 * model, color=INK, linewidth=1, linestyle=dashed, label=f"the model, {100 * model:.2f} %")
        drawn.legend(loc="outside upper left", ncols=2)
    axes.set_xlim(0, end + 0.4)
    axes.set_ylim(0, 104)
    axes.set_xlabel("timestep" + (" (shaded: settling)" if end > inject else ""))
    axes.set_ylabel(f"{name}, %")
    axes.grid(axis="y")
    ticks(axes)
    return drawn


def shares(report: Report) -> tuple[list[float], str]:
    """One share for each step, and what it is of."""
    moments = () if report.simulation is None else report.simulation.curve
    accuracy = [moment.accuracy for moment in moments if moment.accuracy is not None]
    agreement = [moment.agreement for moment in moments if moment.agreement is not None]
    return (accuracy, "accuracy") if accuracy else (agreement, "agreement with the last step")


def words(report: Report) -> str:
    """The picture for someone who does not see it."""
    curve, name = shares(report)
    model = None if report.parity is None else report.parity.model_accuracy
    beside = "" if model is None else f" The model's accuracy: {100 * model:.2f} %."
    enough = next(step for step, share in enumerate(curve, 1) if share >= 0.99 * curve[-1])
    return (
        f"{name.capitalize()} after each of {len(curve)} timesteps, from {100 * curve[0]:.2f} % to "
        f"{100 * curve[-1]:.2f} %; 99 % of that at timestep {enough}.{beside}"
    )
