"""`onnx2snn export`: from a trained run to an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from onnx2snn.cli.output import Json, print_json
from onnx2snn.errors import UsageError

NAME = "export"


def command(
    run: Annotated[Path, typer.Argument(help="The run folder that train made.", metavar="RUN", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="The ONNX file to make.", show_default=False)],
    dialect: Annotated[str, typer.Option(help="qcdq or qonnx.")] = "qcdq",
    samples: Annotated[int, typer.Option(help="Images to check the file on.", min=1, metavar="N")] = 100,
    data_dir: Annotated[
        Optional[Path],  # noqa: UP045  typer reads the annotation
        typer.Option(
            help="Folder of the data set, to check on its validation images, not on noise.", show_default=False
        ),
    ] = None,
    levels: Annotated[
        int, typer.Option(help="Write rate norm layers as staircases of so many steps.", min=0, metavar="T")
    ] = 0,
    v0: Annotated[float, typer.Option(help="With --levels: the initial membrane, in thresholds: 0 or 0.5.")] = 0.0,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
    as_json: Json = False,
) -> None:
    """Write the network of RUN as ONNX, once ONNX Runtime gives what PyTorch gives."""
    from onnx2snn.training.export import export_onnx
    from onnx2snn.training.runs import load_run, sample_images

    if out.exists() and not force:
        raise UsageError(f"{out}: is there already; --force replaces it")
    network, record = load_run(run)
    images = sample_images(record, run, samples, data_dir)
    parity = export_onnx(network, record.shape, out, dialect, levels=levels, v0=v0, samples=images)
    if as_json:
        found = None if parity is None else vars(parity)
        print_json({"model": str(out), "run": str(run), "dialect": dialect, "parity": found})
        return
    print(f"{out}: {record.arch}, {record.scheme} with {record.bits} bits, dialect {dialect}")
    print("not checked: --levels changes what it computes" if parity is None else f"checked: {parity}")
