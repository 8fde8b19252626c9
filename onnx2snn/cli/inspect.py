"""`onnx2snn inspect`: what was understood, and what not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnx2snn.cli.output import Json, print_json, print_table

NAME = "inspect"


def command(
    model: Annotated[Path, typer.Argument(help="The ONNX file.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say what was understood of MODEL, node by node. Exit code 1 where anything is unsupported."""
    from onnx2snn.flow.inspect import inspect

    found = inspect(model)
    if as_json:
        nodes = [{**vars(row), "class": row.kind} for row in found.nodes]
        for node in nodes:
            del node["kind"]
        print_json({"summary": found.summary, "nodes": nodes, "steps": found.steps, "problems": found.problems})
        raise typer.Exit(0 if found.ok else 1)
    print(found.summary)
    rows = [
        (
            row.node,
            row.op,
            row.dialect,
            row.bits,
            _scale(row.scale, row.scales),
            _range(row.low, row.high),
            row.rounding,
            row.kind,
            row.note,
        )
        for row in found.nodes
    ]
    print_table(str(model), ("node", "op", "dialect", "bits", "scale", "range", "rounding", "class", "note"), rows)
    for code, steps in found.steps.items():
        print(f"code {code}: T = {steps}" if steps[0].isdigit() else f"code {code}: {steps}")
    for problem in found.problems:
        print(f"problem: {problem}")
    raise typer.Exit(0 if found.ok else 1)


def _scale(scale: float | None, scales: int | None) -> str:
    if scale is None or scales is None:
        return ""
    return f"{scale:.6g}" if scales == 1 else f"{scale:.6g} ({scales} scales)"


def _range(low: int | None, high: int | None) -> str:
    return "" if low is None else f"{low}..{high}"
