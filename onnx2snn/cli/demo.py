"""`onnx2snn demo`: the whole way on the bundled digits network."""

from __future__ import annotations

import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Optional

import typer

from onnx2snn.cli.output import Json, percent, print_json, progress
from onnx2snn.cli.verify import as_dictionary, show
from onnx2snn.words import amount

NAME = "demo"


def command(
    out: Annotated[
        Optional[Path],  # noqa: UP045  typer reads the annotation
        typer.Option("-o", "--out", help="Keep the artifact in this folder.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an artifact that is there already.")] = False,
    as_json: Json = False,
) -> None:
    """Inspect, convert, simulate and verify a 4-bit network for handwritten digits that comes with the package."""
    from onnx2snn.flow.conversion.convert import convert
    from onnx2snn.flow.evaluation.simulate import simulate
    from onnx2snn.flow.inspection.inspect import inspect
    from onnx2snn.flow.verification.verify import verify

    with as_file(files("onnx2snn") / "demo") as bundle, tempfile.TemporaryDirectory() as scratch:
        model, data = bundle / "digits.onnx", bundle / "digits.npz"
        folder = out or Path(scratch) / "digits"
        inspection = inspect(model)
        convert(model, command="onnx2snn demo").save(folder, force=force)
        with progress("simulating") as bar:
            simulation = simulate(folder, data, progress=bar)
        verification = verify(model, folder, data)
    if as_json:
        report = {"inspect": inspection.summary, "accuracy": simulation.accuracy, "steps": simulation.steps}
        print_json({**report, "verify": as_dictionary(verification)})
    else:
        print(f"digits.onnx: {inspection.summary}")
        accuracy = percent(simulation.accuracy)
        steps = amount(simulation.steps, "step")
        print(f"spiking network: {simulation.samples} test images, accuracy {accuracy}, {steps}")
        show(verification)
    raise typer.Exit(0 if verification.ok else 1)
