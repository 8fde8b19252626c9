"""`onnx2snn simulate`: run an artifact on samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from onnx2snn.cli.output import Json, print_json, progress

NAME = "simulate"


def command(
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="The artifact folder.", show_default=False)],
    data: Annotated[
        Path, typer.Option(help="Samples: .npz with x (N, ...) float32 and perhaps y (N,) labels.", show_default=False)
    ],
    save: Annotated[
        Optional[Path],  # noqa: UP045  typer reads the annotation
        typer.Option(help="Write output (N, ...) and steps to this .npz.", show_default=False),
    ] = None,
    csv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="STEM", help="Write STEM.curve.csv and STEM.layers.csv.", show_default=False),
    ] = None,
    device: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="NAME|FILE.toml", help="Energy table, more than once for several.", show_default=False),
    ] = None,
    exit_rule: Annotated[str, typer.Option("--exit", help="Rule of early exit: margin or confidence.")] = "margin",
    exit_at: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="A,B,...", help="Thresholds of early exit.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the artifact in DIR on DATA: accuracy at every step, latency, rates, synaptic operations, energy."""
    from onnx2snn.cli.simulation import as_dictionary, show, write_csv
    from onnx2snn.flow.simulate import DEVICES, simulate
    from onnx2snn.metrics.answers import parse_exits

    rule = parse_exits(exit_rule, exit_at)
    with progress("simulating") as bar:
        found = simulate(artifact, data, save, bar, device or DEVICES, rule)
    if csv is not None:
        write_csv(found, csv)
    if as_json:
        print_json(as_dictionary(found))
    else:
        show(found, str(artifact))
