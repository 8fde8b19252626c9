"""`onnx2snn inspect`: what was understood, and what not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from onnx2snn.cli.nir import Dt, Integrator
from onnx2snn.cli.output import Json, percent, print_json, print_table, progress

if TYPE_CHECKING:
    from onnx2snn.flow.inspection.report import Inspection, NodeReport

NAME = "inspect"
LONGEST = 44  #: characters of a node's name in the table
MANY = 63  #: levels from which on fewer are worth a thought


def command(
    model: Annotated[Path, typer.Argument(help="The model file: ONNX, or NIR.", show_default=False)],
    data: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Samples (.npz) to measure on what fewer levels would cost.", show_default=False),
    ] = None,
    dt: Dt = None,
    reset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="NIR files: what a spike does, subtract the threshold or set to zero; by default what the file says, "
            "or zero.",
            show_default=False,
        ),
    ] = None,
    integrator: Integrator = None,
    as_json: Json = False,
) -> None:
    """Say what was understood of MODEL, node by node. Exit code 1 where anything is unsupported."""
    from onnx2snn.flow.inspection.inspect import inspect

    with progress("inspecting"):
        found = inspect(model, data, dt=dt, reset=reset, integrator=integrator)
    if as_json:
        print_json(as_dictionary(found))
    else:
        show(found, model)
    raise typer.Exit(0 if found.ok else 1)


def as_dictionary(found: Inspection) -> dict[str, object]:
    """The inspection as JSON has it."""
    return {
        "summary": found.summary,
        "nodes": [_renamed(row) for row in found.nodes],
        "steps": found.steps,
        "problems": found.problems,
        "approximations": found.approximations,
        "levels": found.levels,
        "costs": found.costs,
        "notes": found.notes,
    }


def _renamed(row: NodeReport) -> dict[str, object]:
    """A node with its class under that name, which Python keeps for itself."""
    return {"class" if key == "kind" else key: value for key, value in vars(row).items()}


def show(found: Inspection, model: Path) -> None:
    """The inspection in words."""
    print(found.summary)
    rows = [
        (
            _short(row.node),
            row.op,
            row.dialect,
            row.bits,
            _scale(row.scale, row.scales),
            _range(row.low, row.high),
            row.rounding,
            row.levels,
            row.kind,
            "; ".join(text for text in (row.note, row.change) if text),
        )
        for row in found.nodes
    ]
    columns = ("node", "op", "dialect", "bits", "scale", "range", "rounding", "T", "class", "note")
    print_table(str(model), columns, rows)
    for code, steps in found.steps.items():
        print(f"code {code}: T = {steps}" if steps[0].isdigit() else f"code {code}: {steps}")
    for note in found.notes:
        print(f"{model}: {note}")
    for text in found.approximations:
        print(f"approximation: {text}")
    _show_levels(found)
    for number, problem in enumerate(found.problems):
        print(f"  {problem}" if number else f"problem: {problem}")


def _show_levels(found: Inspection) -> None:
    """What many levels mean, and what fewer cost."""
    if found.costs:
        rows = [(c.levels, c.steps, percent(c.agreement), percent(c.accuracy), f"{c.error:.3g}") for c in found.costs]
        columns = ("at most N levels", "T", "same answer", "accuracy", "relative output error")
        print_table("fewer levels (convert --most-levels N)", columns, rows)
    elif found.levels > MANY:
        print(
            f"T = {found.levels}: a staircase of {found.levels} levels takes as many timesteps; "
            "convert --most-levels 15 makes it 15, and inspect --data SAMPLES.npz measures what that costs"
        )


def _short(name: str) -> str:
    """The end of a long name, which tells it from the others."""
    return name if len(name) <= LONGEST else f"...{name[3 - LONGEST :]}"


def _scale(scale: float | None, scales: int | None) -> str:
    if scale is None or scales is None:
        return ""
    return f"{scale:.6g}" if scales == 1 else f"{scale:.6g} ({scales} scales)"


def _range(low: int | None, high: int | None) -> str:
    return "" if low is None else f"{low}..{high}"
