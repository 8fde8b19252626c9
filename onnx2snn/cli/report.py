"""`onnx2snn report`: everything about an artifact on one page."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, cast

import typer

from onnx2snn.cli.output import (
    Json,
    ProgressCallback,
    numbers,
    percent,
    print_footprint,
    print_notes,
    print_table,
    progress,
)
from onnx2snn.cli.sparkline import sparkline
from onnx2snn.words import amount

if TYPE_CHECKING:
    from onnx2snn.reporting.facts import Report
    from onnx2snn.reporting.pictures import Format

NAME = "report"


def command(
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="The artifact folder.", show_default=False)],
    out: Annotated[
        Optional[Path],  # noqa: UP045  typer reads the annotation
        typer.Option("-o", "--out", help="The HTML page to write.", show_default=False),
    ] = None,
    data: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Samples to run: .npz with x (N, ...) float32 and perhaps y (N,).", show_default=False),
    ] = None,
    model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The model file (ONNX or NIR), to prove and measure against.", show_default=False),
    ] = None,
    sample: Annotated[int, typer.Option(help="The sample that is shown spike by spike.", min=0, metavar="N")] = 0,
    drop: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="P,...", help="Of DATA, lose every spike with these probabilities as well, three runs of each."
        ),
    ] = None,
    pictures: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write the pictures as files into this folder.", metavar="FOLDER", show_default=False),
    ] = None,
    format: Annotated[str, typer.Option(help="Of the pictures: png or svg.")] = "svg",
    tables: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write the numbers as JSON and CSV into this folder.", metavar="FOLDER", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
    as_json: Json = False,
) -> None:
    """Report on the artifact in DIR: one HTML page with pictures, and the same as files. Exit code 1 for a finding."""
    from onnx2snn.reporting import report

    with ExitStack() as bars:

        def stage(name: str) -> ProgressCallback | None:
            bars.close()
            return bars.enter_context(progress(name))

        found = report(
            artifact,
            out,
            data=data,
            model=model,
            sample=sample,
            drops=numbers("--drop", drop),
            pictures=pictures,
            format=cast("Format", format),
            tables=tables,
            force=force,
            stage=stage,
        )
    print_notes(() if found.simulation is None else found.simulation.notes)
    if as_json:
        print(found.model_dump_json(indent=2))
    else:
        show(found)
        for word, place in (("page", out), ("pictures", pictures), ("tables", tables)):
            if place is not None:
                print(f"{word}: {place}")
        if out is None and pictures is None and tables is None:
            print("no page is written without -o PAGE.html")
    raise typer.Exit(1 if found.findings else 0)


def show(found: Report) -> None:
    """The report in a few lines and a table."""
    from onnx2snn.flow.verification.claim import headline
    from onnx2snn.reporting.pictures.accuracy import shares
    from onnx2snn.reporting.words import settling

    conversion = found.conversion
    print(f"{conversion.model}: code {conversion.code}, {conversion.arithmetic} arithmetic")
    print(f"T = {conversion.steps}, settle {settling(conversion)}")
    print(headline(conversion.proven, conversion.breakpoints, conversion.claim))
    simulation, parity = found.simulation, found.parity
    if simulation is not None:
        samples, steps = amount(simulation.samples, "sample"), amount(simulation.steps, "step")
        print(f"{samples}, {steps}, accuracy {percent(simulation.accuracy)}")
        curve, name = shares(found)
        if len(curve) > 1:
            print(f"{name} after step 1 to {len(curve)}: {sparkline(curve)}")
    if parity is not None:
        print(
            f"beside {parity.executor}: the same answer for {percent(parity.argmax_agreement)}, "
            f"its accuracy {percent(parity.model_accuracy)}"
        )
    if simulation is not None and simulation.totals is not None:
        sums = simulation.totals
        sparsity = percent(sums.sparsity if sums.neurons else None)
        print(
            f"per sample: {sums.spikes:.6g} spikes, sparsity {sparsity}, {sums.operations:.6g} synaptic "
            f"operations; the same layers as an ANN: {sums.macs:.6g} MACs"
        )
    rows = [
        (
            layer.number,
            layer.name,
            layer.neurons,
            layer.spikes,
            layer.rate,
            layer.operations,
            None if layer.difference is None else layer.difference.cumulative,
        )
        for layer in found.layers
    ]
    columns = ("no.", "population", "neurons", "spikes per sample", "rate", "synaptic operations", "counts that differ")
    print_table("populations", columns, rows)
    for layer in found.layers:
        if layer.difference is not None and layer.difference.advice:
            print(layer.difference.advice)
    if found.placement is not None:
        print_footprint(found.placement)
    for finding in found.findings:
        print(f"finding: {finding}")
    for text in found.missing.values():
        print(f"left out: {text}")
